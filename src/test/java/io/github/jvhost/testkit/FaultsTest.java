package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.Faults.Wrong;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each scripted fault as a front end sees it. */
class FaultsTest {
  private static final FrontEndRequest MTU = FrontEndRequest.NET_SET_MTU;

  @TempDir private Path dir;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void theSecondIsRefusedAndHasNoEffect() {
    try (MockBackEnd backEnd = start(Faults.none().at(MTU, 2, new Wrong.Refuse()));
        TestFrontEnd guest = negotiated(backEnd)) {
      assertThat(guest.tell(MTU, new U64(1500))).isZero();
      assertThat(guest.tell(MTU, new U64(1400))).isEqualTo(1);
      assertThat(guest.tell(MTU, new U64(1300))).isZero();
    }
  }

  @Test
  void aRefusalThatNobodyAskedForCostsTheConnection() throws InterruptedException {
    try (MockBackEnd backEnd = start(Faults.none().at(MTU, 1, new Wrong.Refuse()));
        TestFrontEnd guest = negotiated(backEnd)) {
      guest.channel.send(MTU, new U64(1500), List.of(), false, TestFrontEnd.soon());
      guest.channel.flush(TestFrontEnd.soon());

      assertThat(backEnd.record().await(r -> r.disconnections() == 1, TestFrontEnd.soon()))
          .isTrue();
      assertThat(backEnd.record().notes().getLast()).contains("scripted: refused");
    }
  }

  @Test
  void aSilentRefusalIsToldOnlyToWhoAsks() {
    FrontEndRequest size = FrontEndRequest.SET_VRING_NUM;
    try (MockBackEnd backEnd = start(Faults.none().atEvery(size, new Wrong.RefuseSilently()));
        TestFrontEnd guest = negotiated(backEnd)) {
      guest.channel.send(size, new VringState(0, 256), List.of(), false, TestFrontEnd.soon());
      assertThat(guest.tell(size, new VringState(1, 256))).isEqualTo(1);
      assertThat(guest.tell(MTU, new U64(1500))).as("the connection lives").isZero();

      assertThat(backEnd.ring(0).orElseThrow().size()).isZero();
      assertThat(backEnd.ring(1).orElseThrow().size()).isZero();
    }
  }

  @Test
  void aRingStopsAndTheAnswerSaysThatItStoppedElsewhere() {
    FrontEndRequest stop = FrontEndRequest.GET_VRING_BASE;
    try (MockBackEnd backEnd =
            start(
                Faults.none()
                    .at(stop, 2, new Wrong.Base(40_000))
                    .atEvery(stop, new Wrong.Base(0)));
        TestFrontEnd guest = negotiated(backEnd)) {
      for (int ring = 0; ring < 3; ring++) {
        guest.tell(FrontEndRequest.SET_VRING_BASE, new VringState(ring, 500 + ring));
      }
      assertThat(guest.ask(stop, new VringState(0, 0))).isEqualTo(new VringState(0, 0));
      assertThat(guest.ask(stop, new VringState(1, 0))).isEqualTo(new VringState(1, 40_000));
      assertThat(guest.ask(stop, new VringState(2, 0))).isEqualTo(new VringState(2, 0));
      assertThat(backEnd.ring(2).orElseThrow().base()).isEqualTo(502);
    }
    assertThatThrownBy(() -> Faults.none().at(MTU, 1, new Wrong.Base(0)))
        .hasMessageContaining("GET_VRING_BASE only");
  }

  @Test
  void countsHaveTheirRanges() {
    assertThatThrownBy(() -> new Wrong.ExtraDescriptors(61)).hasMessageContaining("not 61");
    assertThatThrownBy(() -> new Wrong.ExtraDescriptors(0)).hasMessageContaining("not 0");
    assertThat(new Wrong.ExtraDescriptors(60).count()).isEqualTo(60);
    assertThatThrownBy(() -> new Wrong.TrailingBytes(0))
        .hasMessage("trailing bytes are 1 or more, not 0");
  }

  @Test
  void wrongAnswersAreToldApart() {
    List<Wrong> wrongs =
        List.of(new Wrong.WrongId(), new Wrong.ReplyFlags(0xd), new Wrong.WrongSize());
    for (int i = 0; i < wrongs.size(); i++) {
      try (MockBackEnd backEnd =
              MockBackEnd.builder(dir.resolve("nic" + i), ledger)
                  .faults(Faults.none().at(MTU, 1, wrongs.get(i)))
                  .start();
          TestFrontEnd guest = negotiated(backEnd)) {
        assertThatThrownBy(() -> guest.tell(MTU, new U64(1500)))
            .as("%s", wrongs.get(i))
            .isInstanceOf(ProtocolException.class);
        assertThat(guest.channel.poisoned()).isTrue();
      }
    }
  }

  @Test
  void aShortReplyEndsInTheMiddle() {
    try (MockBackEnd backEnd = start(Faults.none().at(MTU, 1, new Wrong.ShortReply()));
        TestFrontEnd guest = negotiated(backEnd)) {
      assertThatThrownBy(() -> guest.tell(MTU, new U64(1500)))
          .isInstanceOf(BackEndGoneException.class);
    }
  }

  @Test
  void aHangUpBeforeTheMessageMeansThatItHadNoEffect() throws InterruptedException {
    try (MockBackEnd backEnd = start(Faults.none().at(MTU, 1, new Wrong.HangUpBefore()));
        TestFrontEnd guest = negotiated(backEnd)) {
      assertThatThrownBy(() -> guest.tell(MTU, new U64(1500)))
          .isInstanceOf(BackEndGoneException.class);
      assertThat(backEnd.record().await(r -> r.disconnections() == 1, TestFrontEnd.soon()))
          .isTrue();
    }
  }

  @Test
  void aHangUpAfterTheMessageComesAfterTheAnswer() {
    try (MockBackEnd backEnd = start(Faults.none().at(MTU, 1, new Wrong.HangUpAfter()))) {
      try (TestFrontEnd guest = negotiated(backEnd)) {
        assertThat(guest.tell(MTU, new U64(1500))).isZero();
        assertThatThrownBy(() -> guest.ask(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE))
            .isInstanceOf(BackEndGoneException.class);
      }
      try (TestFrontEnd guest = negotiated(backEnd)) {
        assertThat(guest.tell(MTU, new U64(1500))).as("once only").isZero();
        guest.ask(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE);
      }
    }
  }

  @Test
  void messagesAreCountedWhateverTheyAre() {
    try (MockBackEnd backEnd = start(Faults.none().atMessage(1, new Wrong.HangUpBefore()));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      assertThatThrownBy(guest::negotiate).isInstanceOf(BackEndGoneException.class);
    }
  }

  @Test
  void whatIsNeverReadIsNeverAnswered() throws InterruptedException {
    try (MockBackEnd backEnd = start(Faults.none())) {
      try (TestFrontEnd guest = negotiated(backEnd)) {
        int mark = backEnd.record().mark();
        backEnd.arm(Faults.none().atMessage(2, new Wrong.NeverRead()));
        assertThat(guest.tell(MTU, new U64(1500))).isZero();
        guest.channel.send(MTU, new U64(1500), List.of(), true, TestFrontEnd.soon());

        assertThatThrownBy(() -> guest.channel.awaitReply(Deadline.after(Duration.ofMillis(50))))
            .isInstanceOf(DeadlineException.class);
        assertThat(backEnd.record().since(mark)).hasSize(1);
      }
      assertThat(backEnd.record().await(r -> r.disconnections() == 1, TestFrontEnd.soon()))
          .as("it notices that the front end has gone")
          .isTrue();
    }
  }

  @Test
  void aDelayIsCutShortWhenTheBackEndIsClosed() throws InterruptedException {
    MockBackEnd backEnd = start(Faults.none().at(MTU, 1, new Wrong.Delay(Duration.ofHours(1))));
    try (TestFrontEnd guest = negotiated(backEnd)) {
      guest.channel.send(MTU, new U64(1500), List.of(), true, TestFrontEnd.soon());
      guest.channel.flush(TestFrontEnd.soon());
      assertThat(backEnd.record().await(r -> r.count(MTU) == 1, TestFrontEnd.soon())).isTrue();
      backEnd.close();

      assertThat(backEnd.record().disconnections()).isEqualTo(1);
    }
  }

  @Test
  void aHangUpOnRequestIsSeenByTheFrontEnd() {
    try (MockBackEnd backEnd = start(Faults.none());
        TestFrontEnd guest = negotiated(backEnd)) {
      backEnd.hangUp();

      assertThatThrownBy(
              () -> {
                while (true) {
                  guest.ask(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE);
                }
              })
          .isInstanceOf(BackEndGoneException.class);
    }
  }

  private MockBackEnd start(Faults faults) {
    return MockBackEnd.builder(dir.resolve("nic"), ledger).faults(faults).start();
  }

  private TestFrontEnd negotiated(MockBackEnd backEnd) {
    TestFrontEnd guest = new TestFrontEnd(backEnd, ledger);
    guest.negotiate();
    return guest;
  }
}
