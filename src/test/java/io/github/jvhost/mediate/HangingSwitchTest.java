package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.MockBackEnd;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A new switch hangs in the middle of its start. In most builds only some of the messages are
 * tried; with {@code -Pnightly} each is.
 */
class HangingSwitchTest {
  private static final Duration SHORT = Duration.ofMillis(300);

  /** More messages than a switch is told until it serves, those of the handshake included. */
  private static final int MESSAGES = 27;

  private static final int STEP = Integer.getInteger("jvhost.soak.cycles", 0) < 30_000 ? 5 : 1;

  /** What a switch that hangs does with the messages from one on: nothing, or all but answering. */
  private static final List<Wrong> HANGS = List.of(new Wrong.NeverRead(), new Wrong.NeverAnswers());

  @TempDir private Path directory;

  /** It may have used the rings before it was left. */
  @Test
  void aMoveToOneThatHangsIsBoundedAndLaterOnesWork() {
    for (Wrong wrong : HANGS) {
      try (MediatedGuest guest = new MediatedGuest(directory, SHORT)) {
        guest.startSwitch("a");
        MockBackEnd b = guest.startSwitch("b");
        guest.boot();
        guest.echo(99);
        for (int nth = 1; nth <= MESSAGES; nth += STEP) {
          b.arm(Faults.none().atMessage(nth, wrong));
          boolean moved = isMoved(guest);
          assertThat(moved).as("%s at %s", wrong, nth).isEqualTo(nth > 25);
          guest.echo(nth);
          b.arm(Faults.none());
          guest.move(moved ? "a" : "b");
          guest.echo(nth);
          guest.move(moved ? "b" : "a");
          guest.echo(nth);
          if (moved) {
            guest.move("a");
          }
        }
      }
    }
  }

  private static boolean isMoved(MediatedGuest guest) {
    try {
      guest.mediator.move("net0", guest.at("b"), SHORT.multipliedBy(3));
      return true;
    } catch (VhostException e) {
      assertThat(e).hasMessageContaining("stays where it was");
      return false;
    }
  }

  /** Nobody else may have the rings, because it may use them when it goes on. */
  @Test
  void aStandbyThatHangsAmidItsStartIsWaitedForAndServesWhenItGoesOn() {
    for (int nth = 1; nth <= 6; nth += STEP) {
      try (MediatedGuest guest = new MediatedGuest(directory, SHORT)) {
        MockBackEnd a = guest.startSwitch("a");
        MockBackEnd b = guest.startSwitch("b");
        guest.boot();
        guest.echo(99);
        guest.standby("b");
        guest.awaitStandby();
        b.arm(Faults.none().atMessage(nth, new Wrong.NeverRead()));

        a.close();
        guest.await(s -> s.state().equals("NO_SWITCH"));
        guest.startSwitch("c");

        assertThatThrownBy(() -> guest.move("c"))
            .hasMessageContaining("the switch at %s does not answer", directory.resolve("b"));
        b.arm(Faults.none());
        guest.echo(nth);
        assertThat(guest.status().theSwitch()).isEqualTo(directory.resolve("b").toString());
        guest.move("c");
        guest.echo(nth);
      }
    }
  }

  @Test
  void aStandbyThatHangsAmidItsPresetupHoldsUpNoMove() {
    try (MediatedGuest guest = new MediatedGuest(directory, MediatedGuest.ANSWERS)) {
      guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      guest.startSwitch("c");
      guest.boot();
      guest.echo(1);
      b.arm(Faults.none().at(FrontEndRequest.SET_MEM_TABLE, 1, new Wrong.NeverRead()));
      guest.standby("b");
      Wait.until(() -> b.record().count(FrontEndRequest.SET_FEATURES) > 0);

      guest.move("c");

      guest.echo(2);
    }
  }
}
