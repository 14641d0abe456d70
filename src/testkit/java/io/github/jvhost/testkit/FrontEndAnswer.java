package io.github.jvhost.testkit;

import io.github.jvhost.sys.OwnedDescriptor;
import java.util.List;

/**
 * What a front end answered on the back end's channel.
 *
 * @param result 0 for success, and if no answer was asked for
 * @param descriptors came with the answer; the caller who asked closes them
 */
public record FrontEndAnswer(long result, List<OwnedDescriptor> descriptors)
    implements AutoCloseable {
  /** Copies the list. */
  public FrontEndAnswer {
    descriptors = List.copyOf(descriptors);
  }

  /** Closes the descriptors. */
  @Override
  public void close() {
    descriptors.forEach(OwnedDescriptor::close);
  }
}
