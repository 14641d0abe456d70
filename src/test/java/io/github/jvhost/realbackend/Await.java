package io.github.jvhost.realbackend;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.Deadline;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Waits for what another process, or a guest's thread, brings about. */
final class Await {
  private static final long LOOK_NANOS = TimeUnit.MICROSECONDS.toNanos(500);

  private Await() {}

  static void until(Supplier<String> what, BooleanSupplier condition) {
    Deadline deadline = Deadline.after(Duration.ofSeconds(20));
    while (!condition.getAsBoolean()) {
      assertThat(deadline.expired()).as("still not so: %s", what.get()).isFalse();
      LockSupport.parkNanos(LOOK_NANOS);
    }
  }
}
