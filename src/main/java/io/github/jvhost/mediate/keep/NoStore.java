package io.github.jvhost.mediate.keep;

import io.github.jvhost.sys.OwnedDescriptor;
import java.util.HashMap;
import java.util.Map;

/** Holds nothing. */
record NoStore() implements DescriptorStore {
  @Override
  public void put(String name, OwnedDescriptor descriptor) {
    StoredName.require(name);
  }

  @Override
  public void remove(String name) {
    StoredName.require(name);
  }

  @Override
  public Map<String, OwnedDescriptor> takeUp() {
    return new HashMap<>();
  }

  @Override
  public void requirePresent() {
    // There is none.
  }

  @Override
  public void close() {}
}
