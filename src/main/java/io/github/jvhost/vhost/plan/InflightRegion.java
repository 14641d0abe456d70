package io.github.jvhost.vhost.plan;

import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.sys.OwnedDescriptor;

/**
 * The memory in which a back end records its requests in flight. A back end makes it and the front
 * end keeps it, so that the next back end can process these requests (vhost-user, "Inflight I/O
 * tracking"). Two regions are equal if file and layout are equal.
 *
 * @param file its descriptor; the holder of the region owns it
 * @param layout its place in the file, the number of queues and their size
 */
public record InflightRegion(OwnedDescriptor file, Inflight layout) {

  /**
   * {@return whether it is large enough for this number of rings of at most this size}
   *
   * @param queues how many rings
   * @param queueSize entries of the largest of them
   */
  public boolean fits(int queues, int queueSize) {
    return layout.queues() >= queues && layout.queueSize() >= queueSize;
  }
}
