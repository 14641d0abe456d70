package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.virtio.NetFeature;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A running guest goes to another switch, and stays where it was if that one cannot take it. */
class MoveTest {
  private static final Duration SHORT = Duration.ofMillis(300);

  @TempDir private Path directory;

  private MediatedGuest guest() {
    return new MediatedGuest(directory, MediatedGuest.ANSWERS);
  }

  private static long stoppedAt(MockBackEnd old) {
    return old.record().messages().stream()
        .filter(m -> m.request() == FrontEndRequest.GET_VRING_BASE)
        .mapToLong(RecordedMessage::nanos)
        .min()
        .orElseThrow();
  }

  @Test
  void framesGoOnAndAllButTheStartIsToldBeforeTheOldSwitchStops() throws Exception {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      guest.boot();
      guest.echo(1);
      guest.vm().interrupts(0).drain();

      MoveResult moved = guest.move("b");

      assertThat(guest.vm().interrupts(0).await(MediatedGuest.soon()))
          .as("the guest is woken: the old switch may have taken a signal with it")
          .isPositive();
      guest.echo(2);
      assertThat(moved.to()).isEqualTo(directory.resolve("b").toString());
      assertThat(guest.status().theSwitch()).isEqualTo(moved.to());
      assertThat(a.record().await(r -> r.disconnections() == 1, MediatedGuest.soon())).isTrue();
      long stopped = stoppedAt(a);
      List<FrontEndRequest> late =
          b.record().messages().stream()
              .filter(m -> m.nanos() > stopped)
              .map(RecordedMessage::request)
              .distinct()
              .toList();
      assertThat(late)
          .contains(FrontEndRequest.SET_VRING_BASE, FrontEndRequest.SET_VRING_KICK)
          .doesNotContain(
              FrontEndRequest.SET_MEM_TABLE,
              FrontEndRequest.SET_FEATURES,
              FrontEndRequest.SET_VRING_NUM);
    }
  }

  @Test
  void itGoesBackAndForthAndTheFrontEndIsToldNothing() {
    try (MediatedGuest guest = guest()) {
      guest.startSwitch("a");
      guest.startSwitch("b");
      guest.boot();
      long before = guest.status().messages();
      for (int i = 1; i <= 20; i++) {
        guest.echo(i);
        guest.move(i % 2 == 0 ? "a" : "b");
      }
      guest.echo(21);
      assertThat(guest.status().messages()).isEqualTo(before);
    }
  }

  @Test
  void theNewSwitchLogsBeforeItsRingsRun() {
    try (MediatedGuest guest = guest()) {
      guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      guest.boot();
      try (DirtyLog log = DirtyLog.create(guest.vmm().ledger, guest.vmm().memory.table())) {
        guest.vmm().net.migration().logTo(log);
        guest.echo(1);

        guest.move("b");
        guest.echo(2);

        List<String> told = b.record().names();
        assertThat(told.indexOf("SET_LOG_BASE"))
            .isBetween(0, told.indexOf("SET_VRING_ADDR"))
            .isLessThan(told.indexOf("SET_VRING_KICK"));
        int logged = told.indexOf("SET_FEATURES");
        assertThat(
                ((U64) b.record().messages().get(logged).payload()).value() & VhostFeature.LOG_ALL)
            .isNotZero();
        assertThat(logged).isLessThan(told.indexOf("SET_VRING_KICK"));
        guest.vmm().net.migration().logTo(null);
      }
    }
  }

  @Test
  void aSwitchThatCanLessIsRefusedBeforeTheOldOneIsTouched() {
    BackEndOffer usual = MediatedGuest.usual();
    List<BackEndOffer> lesser =
        List.of(
            usual.withFeatures(usual.features() & ~NetFeature.VERSION_1.mask()),
            usual.without(ProtocolFeature.LOG_SHMFD));
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      guest.boot();
      try (DirtyLog log = DirtyLog.create(guest.vmm().ledger, guest.vmm().memory.table())) {
        guest.vmm().net.migration().logTo(log);
        guest.echo(1);
        int told = a.record().mark();
        for (int i = 0; i < lesser.size(); i++) {
          String name = "lesser" + i;
          MockBackEnd other = guest.startSwitch(name, lesser.get(i));

          assertThatThrownBy(() -> guest.move(name))
              .isInstanceOfSatisfying(
                  VhostException.class,
                  e ->
                      assertThat(e.recovery())
                          .as("to say it again is no use")
                          .isEqualTo(Recovery.GIVE_UP))
              .hasMessageContaining("lacks what the front end uses")
              .hasMessageContaining(i == 0 ? "VERSION_1" : "dirty log");

          assertThat(a.record().names(told)).isEmpty();
          assertThat(other.record().count(FrontEndRequest.SET_MEM_TABLE)).isZero();
        }
        guest.echo(2);
        guest.vmm().net.migration().logTo(null);
      }
    }
  }

  /** One move for each message that the other switch may get, from the first of its handshake. */
  private int movesThatFail(MediatedGuest guest, MockBackEnd b, Wrong wrong) {
    int failed = 0;
    for (int nth = 1; nth <= 30; nth++) {
      b.arm(Faults.none().atMessage(nth, wrong));
      try {
        guest.move("b"); // one that is lost before it was told anything is connected to again
        guest.echo(nth);
        b.arm(Faults.none());
        guest.move("a");
      } catch (VhostException e) {
        assertThat(e).hasMessageContaining("stays where it was");
        failed++;
      }
      guest.echo(nth);
    }
    return failed;
  }

  @Test
  void aSwitchThatHangsUpAtAnyMessageIsLeftForTheOldOne() {
    try (MediatedGuest guest = guest()) {
      guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      guest.boot();
      guest.echo(99);
      assertThat(movesThatFail(guest, b, new Wrong.HangUpBefore())).isGreaterThan(10);
    }
  }

  @Test
  void aSwitchThatRefusesIsLeftForTheOldOne() {
    try (MediatedGuest guest = guest()) {
      guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      guest.boot();
      int mark = 1;
      for (FrontEndRequest refused :
          List.of(
              FrontEndRequest.SET_FEATURES,
              FrontEndRequest.SET_MEM_TABLE,
              FrontEndRequest.SET_VRING_NUM,
              FrontEndRequest.SET_VRING_ADDR,
              FrontEndRequest.SET_VRING_KICK,
              FrontEndRequest.SET_VRING_CALL,
              FrontEndRequest.SET_STATUS)) {
        b.arm(Faults.none().atEvery(refused, new Wrong.Refuse()));

        assertThatThrownBy(() -> guest.move("b"))
            .as(refused.toString())
            .isInstanceOf(VhostException.class)
            .hasMessageContaining("stays where it was");

        guest.echo(mark++);
      }
    }
  }

  @Test
  void aSwitchThatFallsSilentIsLeftForTheOldOne() {
    try (MediatedGuest guest = new MediatedGuest(directory, SHORT)) {
      guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      guest.boot();
      guest.echo(99);
      b.arm(Faults.none().at(FrontEndRequest.SET_VRING_KICK, 1, new Wrong.NeverRead()));

      assertThatThrownBy(() -> guest.move("b")).hasMessageContaining("did not start it");

      guest.echo(1);
    }
  }

  /** It is not dead: it may go on with the rings at any time, and no other switch may have them. */
  @Test
  void anOldSwitchThatDoesNotAnswerKeepsTheRings() {
    try (MediatedGuest guest = new MediatedGuest(directory, SHORT)) {
      MockBackEnd a = guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      MockBackEnd c = guest.startSwitch("c");
      guest.boot();
      guest.echo(1);
      guest.standby("c");
      guest.awaitStandby();
      a.arm(Faults.none().at(FrontEndRequest.GET_VRING_BASE, 1, new Wrong.NeverAnswers()));

      assertThatThrownBy(() -> guest.move("b")).hasMessageContaining("does not answer");

      guest.echo(2);
      assertThat(guest.status().theSwitch()).isEqualTo(directory.resolve("a").toString());
      assertThat(b.isRunning()).isFalse();
      assertThat(c.isRunning()).as("nor does the standby have them").isFalse();
    }
  }

  @Test
  void nobodyStandsByForTheSwitchThatServes() {
    try (MediatedGuest guest = guest()) {
      guest.startSwitch("a");
      guest.startSwitch("b");
      guest.boot();
      guest.standby("b");
      guest.awaitStandby();

      guest.move("b");

      guest.echo(1);
      assertThat(guest.status().standby()).isNull();
    }
  }

  @Test
  void ifBothFailTheFirstThatComesBackServes() {
    try (MediatedGuest guest = new MediatedGuest(directory, SHORT)) {
      MockBackEnd a = guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      guest.boot();
      guest.echo(1);
      a.arm(Faults.none().at(FrontEndRequest.GET_VRING_BASE, 1, new Wrong.HangUpBefore()));
      b.arm(Faults.none().at(FrontEndRequest.SET_VRING_KICK, 1, new Wrong.HangUpBefore()));

      assertThatThrownBy(() -> guest.move("b")).isInstanceOf(VhostException.class);

      guest.echo(2);
      assertThat(guest.status().theSwitch()).isEqualTo(directory.resolve("a").toString());
    }
  }

  @Test
  void aStandbyIsNotTakenWhileAMoveStopsTheOldSwitch() {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      MockBackEnd c = guest.startSwitch("c");
      guest.boot();
      guest.echo(1);
      guest.standby("c");
      guest.awaitStandby();
      a.arm(Faults.none().at(FrontEndRequest.GET_VRING_BASE, 1, new Wrong.HangUpBefore()));

      guest.move("b");

      guest.echo(2);
      assertThat(b.isRunning()).isTrue();
      assertThat(c.isRunning()).isFalse();
    }
  }

  @Test
  void oneMoveAtATimeAndItsDeadlineSaysWhy() {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      guest.boot();
      guest.echo(1);
      b.arm(Faults.none().at(FrontEndRequest.SET_MEM_TABLE, 1, new Wrong.NeverRead()));
      int told = a.record().mark();
      CompletableFuture<Throwable> first = failing(() -> guest.move("b"));
      Wait.until(() -> b.record().count(FrontEndRequest.SET_FEATURES) > 0);

      assertThatThrownBy(() -> guest.move("b")).hasMessageContaining("under way already");

      guest.shutDown();
      assertThat(first.join()).hasMessageContaining("the front end has gone");
      assertThat(a.record().names(told))
          .as("it was not told of the move")
          .doesNotContain("GET_VRING_BASE", "SET_VRING_BASE");
      assertThatThrownBy(
              () -> guest.mediator.move("net0", guest.at("nowhere"), Duration.ofMillis(100)))
          .hasMessageContaining("not ready in time")
          .hasMessageContaining("nowhere");
    }
  }

  private static CompletableFuture<Throwable> failing(Runnable what) {
    return CompletableFuture.supplyAsync(() -> {
      try {
        what.run();
        return new AssertionError("it did not fail");
      } catch (VhostException e) {
        return e;
      }
    });
  }

  @Test
  void aNicThatDoesNotRunMovesToo() {
    try (MediatedGuest guest = guest()) {
      guest.startSwitch("a");
      guest.startSwitch("b");
      MockBackEnd c = guest.startSwitch("c");
      guest.move("b");
      guest.boot();
      guest.echo(1);
      assertThat(guest.status().theSwitch()).isEqualTo(directory.resolve("b").toString());
      guest.driver().reset();
      guest.move("c");
      assertThat(guest.status().state()).isEqualTo("STOPPED");
      guest.driver().boot();
      guest.echo(2);
      assertThat(c.isRunning()).isTrue();
    }
  }

  @Test
  void aNicWhoseSwitchIsGoneMovesToo() {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      guest.startSwitch("b");
      guest.boot();
      guest.echo(1);
      a.close();
      guest.await(s -> s.state().equals("NO_SWITCH"));
      guest.move("b");
      guest.echo(2);
    }
  }
}
