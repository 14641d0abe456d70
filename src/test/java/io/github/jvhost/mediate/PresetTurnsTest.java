package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One NIC presets at a time, and nobody who waits is forgotten. */
class PresetTurnsTest {
  @TempDir private Path directory;

  private final PresetTurns turns = new PresetTurns();

  private Nic nic(String name) {
    return Nic.start(
        NicOptions.of(
            name,
            new FrontEndAddress.Listen(directory.resolve(name)),
            new BackEndAddress.Socket(directory.resolve("nowhere")),
            BackEndProfile.GENERIC),
        new Nic.Together(
            DescriptorLedger.tracing(),
            new PresetTurns(),
            _ -> {},
            new RememberedStarts(null),
            null,
            Map.of(),
            new SwitchSockets()));
  }

  @Test
  void allWhoWaitAreWokenAndOneOfThemHasIt() {
    List<String> woken = new ArrayList<>();
    Runnable wakeB = () -> woken.add("b");
    Runnable wakeC = () -> woken.add("c");
    try (Nic a = nic("a");
        Nic b = nic("b");
        Nic c = nic("c")) {
      assertThat(turns.take(7, a, () -> woken.add("a"))).isTrue();
      assertThat(turns.take(7, a, () -> woken.add("a"))).as("it has it already").isTrue();
      assertThat(turns.take(7, b, wakeB)).isFalse();
      assertThat(turns.take(7, b, wakeB)).isFalse();
      assertThat(turns.take(7, c, wakeC)).isFalse();
      turns.giveBack(b);
      assertThat(woken).as("b did not have it").isEmpty();

      turns.giveBack(a);

      assertThat(woken).containsExactly("b", "c");
      assertThat(turns.take(7, c, wakeC)).as("b does not need it any more").isTrue();
      assertThat(turns.take(7, b, wakeB)).isFalse();
      assertThat(turns.take(8, b, wakeB)).as("at another switch").isTrue();
      turns.giveBack(c);
      assertThat(woken).containsExactly("b", "c", "b");
    }
  }
}
