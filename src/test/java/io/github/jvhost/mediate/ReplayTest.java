package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.virtio.NetFeature;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A switch that went away comes back at the same socket, and the front end does not notice. */
class ReplayTest {
  @TempDir private Path directory;

  private MediatedGuest guest() {
    return new MediatedGuest(directory, MediatedGuest.ANSWERS);
  }

  @Test
  void splitRingsGoOnAtTheUsedIndex() {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      guest.boot();
      for (int i = 1; i <= 5; i++) {
        guest.echo(i);
      }
      long messages = guest.status().messages();
      a.close();
      MockBackEnd next = guest.startSwitch("a");
      guest.echo(6);
      assertThat(next.record().messages())
          .filteredOn(m -> m.request() == FrontEndRequest.SET_VRING_BASE)
          .extracting(m -> ((VringState) m.payload()).num())
          .containsExactly(5, 5);
      assertThat(guest.status().messages()).isEqualTo(messages);
    }
  }

  @Test
  void aSwitchThatDiesAtAnyMessageOfAStartIsToldAllAgain() {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      for (int nth = 1; nth <= 30; nth++) {
        a.arm(Faults.none().atMessage(nth, new Wrong.HangUpBefore()));
        guest.boot();
        guest.echo(nth);
        guest.shutDown();
        guest.await(s -> s.state().equals("NO_FRONT_END"));
      }
    }
  }

  @Test
  void aSwitchThatDiesBetweenAnyTwoMessagesOfAReplayIsToldAllAgain() {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      guest.boot();
      for (int nth = 1; nth <= 30; nth++) {
        guest.echo(nth);
        a.arm(Faults.none().atMessage(nth, new Wrong.HangUpBefore()));
        a.hangUp();
      }
      guest.echo(31);
    }
  }

  @Test
  void aSwitchThatNeverAnswersIsGivenUpAfterABound() {
    try (MediatedGuest guest = new MediatedGuest(directory, Duration.ofMillis(300))) {
      MockBackEnd a = guest.startSwitch("a");
      a.arm(Faults.none().at(FrontEndRequest.SET_MEM_TABLE, 1, new Wrong.NeverRead()));
      guest.boot();
      guest.echo(1);
      assertThat(a.record().connections()).isGreaterThan(1);
    }
  }

  @Test
  void oneThatComesBackWithFewerFeaturesIsNotUsedAndStatusSaysWhy() throws Exception {
    BackEndOffer usual = MediatedGuest.usual();
    try (MediatedGuest guest = guest()) {
      guest.startSwitch("a").close();
      MockBackEnd a = guest.startSwitch("a");
      guest.boot();
      guest.echo(1);
      a.close();
      MockBackEnd less =
          guest.startSwitch(
              "a", usual.withFeatures(usual.features() & ~NetFeature.VERSION_1.mask()));
      guest.await(s -> s.lastFailure() != null && s.lastFailure().contains("VERSION_1"));
      assertThat(guest.status().state()).isEqualTo("NO_SWITCH");
      assertThat(less.record().count(FrontEndRequest.SET_MEM_TABLE)).isZero();
      less.close();
      guest.startSwitch("a");
      guest.echo(2);
    }
  }

  @Test
  void theGuestStopsAndStartsWhileThereIsNoSwitch() {
    try (MediatedGuest guest = guest()) {
      MockBackEnd a = guest.startSwitch("a");
      guest.boot();
      guest.echo(1);
      a.close();
      guest.await(s -> s.state().equals("NO_SWITCH"));
      guest.driver().reset();
      assertThat(guest.status().state()).isEqualTo("STOPPED");
      guest.driver().boot();
      assertThat(guest.status().state()).isEqualTo("NO_SWITCH");
      guest.startSwitch("a");
      guest.echo(2);
    }
  }
}
