package io.github.jvhost.testkit;

import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One device's modelled hardware: it holds the last configuration, and delays the calling thread by
 * the price of each difference, as a driver that waits for its device would. Used by one thread.
 */
final class ModelledHardware {
  private final HardwareModel model;
  private final Consumer<ConfigCharge> charges;
  private @Nullable HardwareImage image;

  ModelledHardware(HardwareModel model, Consumer<ConfigCharge> charges) {
    this.model = model;
    this.charges = charges;
  }

  void configure(String occasion, HardwareImage wanted) {
    long micros = model.costMicros(image, wanted);
    image = wanted;
    spend(
        micros,
        "modelled hardware configured at " + occasion + ": " + wanted.rings().size() + " rings");
  }

  void mapMemory(long bytes) {
    spend(model.mapMicros(bytes), "modelled mapping of " + (bytes >> 20) + " MiB");
  }

  void forget() {
    image = null;
  }

  private void spend(long micros, String what) {
    if (micros == 0) {
      return;
    }
    long start = System.nanoTime();
    long nanos = micros * 1000;
    long left = nanos;
    while (left > 0) {
      LockSupport.parkNanos(this, left);
      if (Thread.interrupted()) {
        // A configuration always takes its whole time. The thread is stopped through its wake-up
        // descriptor,
        // not by an interrupt.
        continue;
      }
      left = nanos - (System.nanoTime() - start);
    }
    charges.accept(new ConfigCharge(start, micros, what));
  }
}
