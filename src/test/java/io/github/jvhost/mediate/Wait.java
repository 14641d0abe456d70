package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.Deadline;
import java.util.List;
import java.util.function.BooleanSupplier;

/** Waits for what no event reports, without sleeping. */
final class Wait {
  private Wait() {}

  static void until(BooleanSupplier condition) {
    Deadline deadline = MediatedGuest.soon();
    while (!condition.getAsBoolean()) {
      assertThat(deadline.expired()).isFalse();
      Thread.onSpinWait();
    }
  }

  /** Whether a switch was told everything of a start: nobody waits for the last message. */
  static boolean endsWithAStart(List<String> names) {
    return names.contains("SET_VRING_KICK") && names.getLast().equals("SET_STATUS");
  }
}
