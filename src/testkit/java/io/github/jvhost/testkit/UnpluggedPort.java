package io.github.jvhost.testkit;

import io.github.jvhost.testkit.net.SwitchPort;
import org.jspecify.annotations.Nullable;

/** The port of a back end without a switch: it drops all frames and delivers none. */
final class UnpluggedPort implements SwitchPort {
  @Override
  public String name() {
    return "unplugged";
  }

  @Override
  public void transmit(byte[] frame) {
    // The frame is dropped.
  }

  @Override
  public byte @Nullable [] poll() {
    return null;
  }

  @Override
  public void onFrame(Runnable wakeUp) {
    // No frame will ever arrive.
  }

  @Override
  public long dropped() {
    return 0;
  }

  @Override
  public long delivered() {
    return 0;
  }

  @Override
  public void close() {
    // There is nothing to close.
  }
}
