package io.github.jvhost.vhost.plan;

import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.sys.OwnedDescriptor;

/**
 * The memory in which a back end notes the requests that it has in flight, made by a back end and
 * kept by the front end, so that the back end's successor can take them up again (vhost-user,
 * "Inflight I/O tracking"). Equal to another one of the same file, place and shape.
 *
 * @param file its descriptor; whoever holds the region owns it
 * @param layout where in the file it is, and for how many queues of which size
 */
public record InflightRegion(OwnedDescriptor file, Inflight layout) {

  /**
   * {@return whether it is large enough for so many rings of at most this size}
   *
   * @param queues how many rings
   * @param queueSize entries of the largest of them
   */
  public boolean fits(int queues, int queueSize) {
    return layout.queues() >= queues && layout.queueSize() >= queueSize;
  }
}
