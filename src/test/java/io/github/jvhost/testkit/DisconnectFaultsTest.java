package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.channel.socket.ListeningSocket;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.Faults.Wrong;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A back end that goes at any byte, stays silent, says too much; and comes again. */
class DisconnectFaultsTest {
  private static final FrontEndRequest MTU = FrontEndRequest.NET_SET_MTU;

  @TempDir private Path dir;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private int started;

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
    assertThat(Thread.getAllStackTraces().keySet())
        .extracting(Thread::getName)
        .noneMatch(name -> name.startsWith("mock back end"));
  }

  @Test
  void theConnectionEndsAtEveryByteOfAMessageAndOfItsAnswer() throws InterruptedException {
    List<Wrong> wrongs =
        new ArrayList<>(
            List.of(
                new Wrong.HangUpBefore(),
                new Wrong.HangUpUnread(),
                new Wrong.HangUpInHeader(),
                new Wrong.HangUpInPayload(),
                new Wrong.HangUpBeforeAnswer()));
    for (int sent = 0; sent < 12 + 8; sent++) {
      wrongs.add(new Wrong.HangUpInAnswer(sent));
    }
    for (Wrong wrong : wrongs) {
      // Message 6 is the MTU, behind what negotiate() says.
      try (MockBackEnd backEnd = start(Faults.none().atMessage(6, wrong))) {
        try (TestFrontEnd guest = negotiated(backEnd)) {
          assertThatThrownBy(() -> guest.tell(MTU, new U64(1500)))
              .as("%s", wrong)
              .isInstanceOf(BackEndGoneException.class);
          assertThat(backEnd.record().await(r -> r.disconnections() == 1, TestFrontEnd.soon()))
              .isTrue();
        }
        try (TestFrontEnd again = negotiated(backEnd)) {
          assertThat(again.tell(MTU, new U64(1500))).as("once only").isZero();
        }
      }
    }
  }

  @Test
  void aMessageWithDescriptorsCanBeLeftInTheMiddle() {
    for (Wrong wrong : List.of(new Wrong.HangUpInHeader(), new Wrong.HangUpInPayload())) {
      // Message 5 is the memory table.
      try (MockBackEnd backEnd = start(Faults.none().atMessage(5, wrong));
          TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
        assertThatThrownBy(guest::negotiate).isInstanceOf(BackEndGoneException.class);
      }
    }
  }

  @Test
  void theConnectionEndsAsSoonAsItIsThere() {
    try (MockBackEnd backEnd = start(Faults.none().atConnection(1))) {
      try (TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
        assertThatThrownBy(guest::negotiate).isInstanceOf(BackEndGoneException.class);
      }
      try (TestFrontEnd guest = negotiated(backEnd)) {
        assertThat(guest.tell(MTU, new U64(1500))).isZero();
      }
    }
  }

  @Test
  void oneAnswerMissingOrAllOfThem() {
    try (MockBackEnd backEnd = start(Faults.none().at(MTU, 1, new Wrong.NoAnswer()));
        TestFrontEnd guest = negotiated(backEnd)) {
      guest.channel.send(MTU, new U64(1500), List.of(), true, TestFrontEnd.soon());
      guest.channel.send(
          FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, List.of(), false, TestFrontEnd.soon());
      assertThatThrownBy(() -> guest.channel.awaitReply(TestFrontEnd.soon()))
          .as("the next answer in the place of the first")
          .isInstanceOf(ProtocolException.class);
    }
    try (MockBackEnd backEnd = start(Faults.none().at(MTU, 1, new Wrong.NeverAnswers()));
        TestFrontEnd guest = negotiated(backEnd)) {
      guest.channel.send(MTU, new U64(1500), List.of(), true, TestFrontEnd.soon());
      assertThatThrownBy(() -> guest.channel.awaitReply(Deadline.after(Duration.ofMillis(50))))
          .isInstanceOf(DeadlineException.class);
    }
  }

  @Test
  void anAnswerThatNobodyAskedForIsInTheWayOfTheNext() {
    try (MockBackEnd backEnd = start(Faults.none().at(MTU, 1, new Wrong.AnswerTwice()));
        TestFrontEnd guest = negotiated(backEnd)) {
      assertThatThrownBy(
              () -> {
                guest.tell(MTU, new U64(1500));
                guest.ask(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE);
              })
          .isInstanceOf(ProtocolException.class);
      assertThat(guest.channel.poisoned()).isTrue();
    }
  }

  @Test
  void bytesBehindAnAnswerAreNoAnswer() {
    try (MockBackEnd backEnd = start(Faults.none().at(MTU, 1, new Wrong.TrailingBytes(12)));
        TestFrontEnd guest = negotiated(backEnd)) {
      assertThatThrownBy(
              () -> {
                guest.tell(MTU, new U64(1500));
                guest.ask(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE);
              })
          .isInstanceOf(ProtocolException.class);
    }
  }

  @Test
  void descriptorsTooManyOrMissing() {
    FrontEndRequest inflight = FrontEndRequest.GET_INFLIGHT_FD;
    for (Wrong wrong :
        List.of(
            new Wrong.ExtraDescriptors(1),
            new Wrong.ExtraDescriptors(8),
            new Wrong.NoDescriptors())) {
      try (MockBackEnd backEnd = start(Faults.none().at(inflight, 1, wrong));
          TestFrontEnd guest = negotiated(backEnd)) {
        guest.channel.send(
            inflight, new Inflight(0, 0, 2, 8), List.of(), false, TestFrontEnd.soon());
        assertThatThrownBy(() -> guest.channel.awaitReply(TestFrontEnd.soon()))
            .as("%s", wrong)
            .isInstanceOf(ProtocolException.class);
      }
    }
  }

  @Test
  void aRefusalHasTheFormOfTheAnswer() {
    FrontEndRequest inflight = FrontEndRequest.GET_INFLIGHT_FD;
    try (MockBackEnd backEnd = start(Faults.none().at(inflight, 1, new Wrong.Refuse()));
        TestFrontEnd guest = negotiated(backEnd)) {
      assertThat(guest.ask(inflight, new Inflight(0, 0, 2, 8))).isEqualTo(new Inflight(0, 0, 0, 0));
    }
  }

  @Test
  void aCrashAnswersNothingMoreAndAnotherOneTakesItsPlace() {
    Path place = dir.resolve("crash");
    MockBackEnd backEnd =
        MockBackEnd.builder(place, ledger)
            .faults(Faults.none().at(MTU, 1, new Wrong.Delay(Duration.ofHours(1))))
            .start();
    try (TestFrontEnd guest = negotiated(backEnd)) {
      guest.channel.send(MTU, new U64(1500), List.of(), true, TestFrontEnd.soon());
      guest.channel.flush(TestFrontEnd.soon());
      assertThat(awaitMtu(backEnd)).isTrue();
      backEnd.crash();
      assertThat(Files.exists(place)).isFalse();

      assertThatThrownBy(() -> guest.channel.awaitReply(TestFrontEnd.soon()))
          .isInstanceOf(BackEndGoneException.class);
    }
    try (MockBackEnd next = MockBackEnd.builder(place, ledger).start();
        TestFrontEnd guest = negotiated(next)) {
      assertThat(guest.tell(MTU, new U64(1500))).isZero();
    }
  }

  private static boolean awaitMtu(MockBackEnd backEnd) {
    try {
      return backEnd.record().await(r -> r.count(MTU) == 1, TestFrontEnd.soon());
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aBackEndThatCallsComesAgain() {
    Path place = dir.resolve("front-end");
    try (MockBackEnd backEnd =
        MockBackEnd.builder(dir.resolve("unused"), ledger).connectsTo(place).start()) {
      try (ListeningSocket listener = ListeningSocket.open(place)) {
        for (int i = 1; i <= 3; i++) {
          try (TestFrontEnd guest = new TestFrontEnd(accept(listener), ledger)) {
            guest.start();
            assertThat(guest.stop(0)).isZero();
          }
        }
        assertThat(backEnd.socket()).isEqualTo(place);
      }
      assertThat(Files.exists(dir.resolve("unused"))).isFalse();
    }
  }

  @Test
  void callingNobodyEndsAtOnce() {
    MockBackEnd backEnd =
        MockBackEnd.builder(dir.resolve("x"), ledger).connectsTo(dir.resolve("nobody")).start();

    backEnd.close();

    assertThat(backEnd.record().connections()).isZero();
  }

  @Test
  void faultsThatCannotBeDoneAreRefused() {
    assertThatThrownBy(() -> Faults.none().at(MTU, 1, new Wrong.HangUpUnread()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Wrong.TrailingBytes(0))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Faults.Fault(new Faults.When.Connection(1), new Wrong.NoAnswer()))
        .isInstanceOf(IllegalArgumentException.class)
        .isNotInstanceOf(VhostException.class);
  }

  private VhostUserChannel accept(ListeningSocket listener) {
    return VhostUserChannel.accept(
        listener,
        "nic",
        BackEndOffer.of(Personality.GENERIC).dialect(),
        ledger,
        TestFrontEnd.soon());
  }

  private MockBackEnd start(Faults faults) {
    return MockBackEnd.builder(dir.resolve("nic" + started++), ledger)
        .offer(BackEndOffer.of(Personality.GENERIC).with(ProtocolFeature.INFLIGHT_SHMFD))
        .faults(faults)
        .start();
  }

  private TestFrontEnd negotiated(MockBackEnd backEnd) {
    TestFrontEnd guest = new TestFrontEnd(backEnd, ledger);
    guest.negotiate();
    return guest;
  }
}
