package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.MockBackEnd;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A switch that is kept preset serves when the first goes away. */
class StandbyTest {
  @TempDir private Path directory;

  private MediatedGuest guest() {
    return new MediatedGuest(directory, MediatedGuest.ANSWERS);
  }

  @Test
  void itServesAtOnceAndIsToldOnlyWhereTheRingsAre() throws Exception {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      guest.boot();
      guest.echo(1);
      long messages = guest.status().messages();
      guest.standby("b");
      guest.awaitStandby();
      assertThat(b.isRunning()).isFalse();
      int told = b.record().mark();

      a.close();
      guest.echo(2);

      assertThat(b.record().await(r -> r.names(told).contains("SET_STATUS"), MediatedGuest.soon()))
          .isTrue();
      assertThat(b.record().names(told))
          .contains("SET_VRING_BASE", "SET_VRING_KICK", "SET_STATUS")
          .doesNotContain("SET_MEM_TABLE", "SET_FEATURES", "SET_VRING_NUM");
      NicStatus status = guest.status();
      assertThat(status.theSwitch()).isEqualTo(directory.resolve("b").toString());
      assertThat(status.standby()).as("it is none any more").isNull();
      assertThat(status.messages()).as("the front end has seen nothing").isEqualTo(messages);
    }
  }

  @Test
  void itIsToldWhatTheFrontEndChanges() {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      guest.boot();
      guest.echo(1);
      guest.standby("b");
      guest.awaitStandby();
      try (DirtyLog log = DirtyLog.create(guest.vmm().ledger, guest.vmm().memory.table())) {
        guest.vmm().net.migration().logTo(log);
        guest.await(s -> s.logging());
        guest.awaitStandby();
        assertThat(b.record().count(FrontEndRequest.SET_LOG_BASE)).isOne();
        guest.vm().rebind(0);
        guest.vmm().rebind(guest.vm(), 0);
        long calls = b.record().count(FrontEndRequest.SET_VRING_CALL);
        guest.awaitStandby();

        a.close();
        guest.echo(2);

        assertThat(b.record().count(FrontEndRequest.SET_LOG_BASE)).isOne();
        assertThat(b.record().count(FrontEndRequest.SET_VRING_CALL)).isGreaterThanOrEqualTo(calls);
        guest.vmm().net.migration().logTo(null);
      }
    }
  }

  @Test
  void oneThatDiesAndComesBackIsPresetAgain() throws Exception {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      guest.boot();
      guest.echo(1);
      guest.standby("b");
      guest.awaitStandby();
      for (int i = 2; i < 5; i++) {
        int connections = i;
        b.hangUp();
        assertThat(b.record().await(r -> r.connections() == connections, MediatedGuest.soon()))
            .isTrue();
        guest.awaitStandby();
        guest.echo(i);
      }
      a.close();
      guest.echo(9);
    }
  }

  @Test
  void oneThatIsNotReadyServesAllTheSame() {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      guest.boot();
      guest.echo(1);
      guest.standby("b");
      a.close();
      guest.await(s -> s.state().equals("NO_SWITCH"));

      guest.startSwitch("b");

      guest.echo(2);
      assertThat(guest.status().theSwitch()).isEqualTo(directory.resolve("b").toString());
    }
  }

  @Test
  void oneThatFailsWhenItIsNeededStaysTheStandby() {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      guest.boot();
      guest.echo(1);
      guest.standby("b");
      guest.awaitStandby();
      b.arm(Faults.none().at(FrontEndRequest.SET_VRING_KICK, 1, new Wrong.HangUpBefore()));
      a.close();
      guest.echo(2);
      assertThat(guest.status().theSwitch()).isEqualTo(directory.resolve("b").toString());
    }
  }

  @Test
  void oneThatCanLessIsNotUsedAndStatusSaysWhy() {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      MockBackEnd b =
          guest.startSwitch("b", MediatedGuest.usual().without(ProtocolFeature.LOG_SHMFD));
      guest.boot();
      guest.echo(1);
      guest.standby("b");
      guest.awaitStandby();
      try (DirtyLog log = DirtyLog.create(guest.vmm().ledger, guest.vmm().memory.table())) {
        guest.vmm().net.migration().logTo(log);
        guest.await(s -> s.lastFailure() != null && s.lastFailure().contains("dirty log"));
        guest.await(s -> s.standby() != null && !s.standby().ready());
        a.close();
        guest.await(s -> s.state().equals("NO_SWITCH"));
        guest.startSwitch("a2");
        guest.move("a2");
        guest.echo(2);
        assertThat(b.record().count(FrontEndRequest.SET_VRING_KICK)).isZero();
        guest.vmm().net.migration().logTo(null);
      }
    }
  }
}
