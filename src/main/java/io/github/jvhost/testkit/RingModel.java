package io.github.jvhost.testkit;

import io.github.jvhost.protocol.VringAddress;
import org.jspecify.annotations.Nullable;

/**
 * What a back end knows of one ring. Mutable, for the back end's own thread; others see {@link
 * RingView}.
 */
final class RingModel {
  /** What was told of a notifier. */
  enum Notifier {
    UNKNOWN,
    WITHOUT_DESCRIPTOR,
    WITH_DESCRIPTOR
  }

  final int number;
  int size;
  int base;
  int nextUsed;
  @Nullable VringAddress address;
  boolean translated;
  Notifier kick = Notifier.UNKNOWN;
  Notifier call = Notifier.UNKNOWN;
  boolean enabled;
  boolean started;

  RingModel(int number) {
    this.number = number;
  }

  /** DPDK's test for a ring that may be part of a running device. */
  boolean ready() {
    return described() && kick != Notifier.UNKNOWN && call != Notifier.UNKNOWN && enabled;
  }

  boolean described() {
    return size > 0 && translated;
  }

  void forgetAll() {
    size = 0;
    base = 0;
    nextUsed = 0;
    address = null;
    translated = false;
    kick = Notifier.UNKNOWN;
    call = Notifier.UNKNOWN;
    enabled = false;
  }

  RingView view() {
    return new RingView(
        number,
        size,
        base,
        nextUsed,
        address,
        kick != Notifier.UNKNOWN,
        call != Notifier.UNKNOWN,
        enabled,
        started);
  }
}
