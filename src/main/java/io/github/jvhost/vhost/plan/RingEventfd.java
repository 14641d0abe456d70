package io.github.jvhost.vhost.plan;

import io.github.jvhost.sys.OwnedDescriptor;

/**
 * How one side of a vring signals the other that there is work: a kick, a call or an err.
 *
 * <p>Immutable; the descriptor in it is its owner's.
 */
public sealed interface RingEventfd {

  /**
   * The message without a descriptor (the NOFD bit): the ring is polled, or its owner wants no
   * notification. Explicit presetup sends it as kick to a back end that is not known to hold its
   * rings until DRIVER_OK. Then the back end counts the ring as complete.
   */
  record NoFd() implements RingEventfd {
    @Override
    public String toString() {
      return "no descriptor";
    }
  }

  /**
   * An eventfd. Two are equal when they are the same open file, whatever their numbers.
   *
   * @param descriptor its owner keeps it; the back end gets a duplicate with the message
   */
  record Fd(OwnedDescriptor descriptor) implements RingEventfd {
    @Override
    public String toString() {
      return descriptor.identity().what();
    }
  }
}
