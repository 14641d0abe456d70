package io.github.jvhost.vhost.plan;

import io.github.jvhost.sys.OwnedDescriptor;

/**
 * Where the back end marks the pages that it writes (SET_LOG_BASE).
 *
 * @param descriptor of the shared bitmap; its owner keeps it
 * @param size of the bitmap in bytes
 */
public record LogTarget(OwnedDescriptor descriptor, long size) {
  @Override
  public String toString() {
    return size + " bytes";
  }
}
