package io.github.jvhost.testkit;

import io.github.jvhost.testkit.net.SwitchPort;
import org.jspecify.annotations.Nullable;

/** The port of a back end that no switch was given to: frames go nowhere and none arrive. */
final class UnpluggedPort implements SwitchPort {
  @Override
  public String name() {
    return "unplugged";
  }

  @Override
  public void transmit(byte[] frame) {
    // There is no switch.
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
    // Nothing is held.
  }
}
