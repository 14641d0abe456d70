package io.github.jvhost.testkit;

import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import org.jspecify.annotations.Nullable;

/** The eventfds of one ring as a back end holds them. Used by one thread. */
final class RingEventfds implements AutoCloseable {
  private @Nullable EventFd kick;
  private @Nullable EventFd call;

  /**
   * Set when a kick was seen, on the eventfd or as a message, until all chains in the ring were
   * taken.
   */
  boolean kicked;

  /**
   * Set when the ring's contents were invalid. The ring is not served until it is started again.
   */
  boolean broken;

  /** Replaces the kick. This object owns the descriptor from now on; null means none. */
  void kick(@Nullable OwnedDescriptor descriptor) {
    closeKick();
    kick = descriptor == null ? null : EventFd.adopt(descriptor);
  }

  /** Replaces the call. This object owns the descriptor from now on; null means none. */
  void call(@Nullable OwnedDescriptor descriptor) {
    closeCall();
    call = descriptor == null ? null : EventFd.adopt(descriptor);
  }

  @Nullable EventFd kick() {
    return kick;
  }

  void signalCall() {
    if (call != null) {
      call.signal();
    }
  }

  void closeKick() {
    if (kick != null) {
      kick.close();
      kick = null;
    }
  }

  void closeCall() {
    if (call != null) {
      call.close();
      call = null;
    }
  }

  @Override
  public void close() {
    closeKick();
    closeCall();
  }
}
