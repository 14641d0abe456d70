package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndChannel;
import io.github.jvhost.channel.BackEndRequestHandler.Answer;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringArea;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.junit.MockBackEndExtension;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The mock back end asks on its own channel, sensibly and not. */
class BackEndAskTest {
  private static final NoPayload NOTHING = NoPayload.INSTANCE;
  private static final UUID OBJECT = new UUID(1, 2);

  @RegisterExtension
  static final MockBackEndExtension backEnds =
      MockBackEndExtension.of(
          BackEndOffer.of(Personality.GENERIC)
              .with(ProtocolFeature.BACKEND_REQ)
              .with(ProtocolFeature.BACKEND_SEND_FD)
              .with(ProtocolFeature.CONFIG)
              .with(ProtocolFeature.HOST_NOTIFIER)
              .with(ProtocolFeature.SHARED_OBJECT)
              .with(ProtocolFeature.INBAND_NOTIFICATIONS));

  private DescriptorLedger ledger;
  private final List<BackEndRequest> heard = new ArrayList<>();
  private final List<Payload> payloads = new ArrayList<>();
  private MockBackEnd backEnd;
  private TestFrontEnd guest;
  private BackEndChannel channel;
  private EventFd object;

  @BeforeEach
  void connect(MockBackEnd started, DescriptorLedger book) {
    ledger = book;
    backEnd = started;
    object = EventFd.create(ledger, "an object");
    guest = new TestFrontEnd(backEnd, ledger);
    guest.negotiate();
    BackEndChannel.Opened opened =
        BackEndChannel.open(
            "nic",
            backEnd.offer().dialect(),
            ledger,
            (request, payload, _) -> {
              heard.add(request);
              payloads.add(payload);
              return request == BackEndRequest.SHARED_OBJECT_LOOKUP
                  ? new Answer(0, object.descriptor())
                  : Answer.DONE;
            });
    channel = opened.channel();
    guest.channel.serve(channel);
    try (var theirs = opened.theirs()) {
      guest.ok(FrontEndRequest.SET_BACKEND_REQ_FD, NOTHING, theirs);
    }
  }

  @AfterEach
  void close() {
    guest.close();
    object.close();
  }

  @Test
  void aChangedConfigurationIsToldAndAcknowledged() throws Exception {
    CompletableFuture<FrontEndAnswer> told = backEnd.changeConfig(new byte[] {7});

    assertThat(served(told).result()).isZero();
    assertThat(heard).containsExactly(BackEndRequest.CONFIG_CHANGE_MSG);
    assertThat(backEnd.device().config()).startsWith(7, 0);
    assertThat(backEnd.record().asks())
        .singleElement()
        .satisfies(ask -> {
          assertThat(ask.id()).isEqualTo(BackEndRequest.CONFIG_CHANGE_MSG.id());
          assertThat(ask.result()).isZero();
        });
  }

  @Test
  void aDoorbellComesWithItsPage() throws Exception {
    try (MemoryFile page = MemoryFile.create(ledger, "doorbell", 4096)) {
      assertThat(served(backEnd.hostNotifier(1, page.descriptor(), 0, 4096)).result()).isZero();
    }
    served(backEnd.hostNotifier(1, null, 0, 0));

    assertThat(payloads)
        .containsExactly(new VringArea(1, false, 4096, 0), new VringArea(1, true, 0, 0));
  }

  @Test
  void anObjectThatIsLookedUpComesBack() throws Exception {
    try (FrontEndAnswer answer =
        served(
            backEnd.askFrontEnd(
                BackEndRequest.SHARED_OBJECT_LOOKUP, new SharedObject(OBJECT), List.of(), false))) {
      assertThat(answer.result()).isZero();
      assertThat(answer.descriptors()).hasSize(1);
    }
  }

  @Test
  void itAsksBeforeItAnswers() {
    backEnd.arm(
        Faults.none()
            .at(
                FrontEndRequest.NET_SET_MTU,
                1,
                new Wrong.AskFirst(BackEndRequest.VRING_HOST_NOTIFIER_MSG, area(3))));

    assertThat(guest.tell(FrontEndRequest.NET_SET_MTU, new U64(1500))).isZero();

    assertThat(payloads).containsExactly(area(3));
    assertThat(backEnd.record().asks()).hasSize(1);
  }

  @Test
  void nonsenseEndsTheChannelAndNothingElse() throws Exception {
    List<Supplier<CompletableFuture<FrontEndAnswer>>> nonsense =
        List.of(
            () -> backEnd.askNonsense(2, 0x2, new byte[0], List.of()),
            () -> backEnd.askNonsense(2, 0x101, new byte[0], List.of()),
            () -> backEnd.askNonsense(3, 1, new byte[7], List.of()),
            () ->
                backEnd.askNonsense(
                    3, 1, new byte[24], Collections.nCopies(9, object.descriptor())));
    for (int i = 0; i < nonsense.size(); i++) {
      if (i > 0) {
        anotherChannel();
      }
      var _ = nonsense.get(i).get();
      Deadline soon = TestFrontEnd.soon();
      while (channel.isOpen() && !soon.expired()) {
        serveOnce();
      }
      assertThat(channel.failure()).as("case %d", i).isInstanceOf(VhostException.class);
      assertThat(guest.tell(FrontEndRequest.NET_SET_MTU, new U64(1500))).isZero();
    }
  }

  @Test
  void anUnknownRequestIsAnsweredWithFailure() throws Exception {
    assertThat(served(backEnd.askNonsense(77, 9, new byte[0], List.of())).result()).isEqualTo(1);
    assertThat(served(backEnd.changeConfig(new byte[1])).result()).isZero();
  }

  @Test
  void aFloodIsServedAndAnsweredInOrder() throws Exception {
    served(backEnd.floodFrontEnd(BackEndRequest.CONFIG_CHANGE_MSG, NOTHING, 40)).close();
    CompletableFuture<FrontEndAnswer> behind =
        backEnd.askFrontEnd(
            BackEndRequest.SHARED_OBJECT_ADD, new SharedObject(OBJECT), List.of(), true);

    assertThat(served(behind).result()).isZero();
    assertThat(heard).hasSize(41);
  }

  @Test
  void whoNeverReadsItsAnswersLosesTheChannelOnly() {
    CompletableFuture<FrontEndAnswer> flood =
        backEnd.floodFrontEnd(BackEndRequest.CONFIG_CHANGE_MSG, NOTHING, 100_000);

    assertThatThrownBy(() -> served(flood)).hasCauseInstanceOf(VhostException.class);
    assertThat(channel.isOpen()).isFalse();
    assertThat(guest.tell(FrontEndRequest.NET_SET_MTU, new U64(1500))).isZero();
  }

  @Test
  void kicksAndCallsAreMessages() {
    for (int i = 0; i < 2; i++) {
      guest.ok(FrontEndRequest.SET_VRING_NUM, new VringState(i, TestFrontEnd.SIZE));
      guest.ok(FrontEndRequest.SET_VRING_BASE, new VringState(i, 0));
      guest.tellAddress(i, 0);
      guest.ok(FrontEndRequest.SET_VRING_CALL, new VringDescriptor(i, true));
      guest.ok(FrontEndRequest.SET_VRING_ENABLE, new VringState(i, 1));
      guest.ok(FrontEndRequest.SET_VRING_KICK, new VringDescriptor(i, true));
    }
    guest.ok(FrontEndRequest.SET_STATUS, new U64(0xf));
    guest.post(1, 0, TestFrontEnd.buffer(1, 0), 100);
    assertThat(guest.usedIndex(1)).as("not polled").isZero();

    guest.ok(FrontEndRequest.VRING_KICK, new VringState(1, 0));
    Deadline soon = TestFrontEnd.soon();
    while (heard.isEmpty() && !soon.expired()) {
      serveOnce();
    }

    assertThat(heard).containsExactly(BackEndRequest.VRING_CALL);
    assertThat(payloads).containsExactly(new VringState(1, 0));
    assertThat(guest.usedIndex(1)).isEqualTo(1);
  }

  @Test
  void whatIsAskedWithoutAChannelFails() {
    backEnd.hangUp();
    Deadline soon = TestFrontEnd.soon();
    while (!backEnd.changeConfig(new byte[1]).isCompletedExceptionally() && !soon.expired()) {
      Thread.onSpinWait();
    }

    assertThat(backEnd.changeConfig(new byte[1])).isCompletedExceptionally();
  }

  private void anotherChannel() {
    BackEndChannel.Opened opened =
        BackEndChannel.open("nic", backEnd.offer().dialect(), ledger, (_, _, _) -> Answer.DONE);
    channel = opened.channel();
    guest.channel.serve(channel);
    try (var theirs = opened.theirs()) {
      guest.ok(FrontEndRequest.SET_BACKEND_REQ_FD, NOTHING, theirs);
    }
  }

  /** Serves the channel until the back end has its answer. */
  private FrontEndAnswer served(CompletableFuture<FrontEndAnswer> answer) throws Exception {
    Deadline soon = TestFrontEnd.soon();
    while (!answer.isDone() && !soon.expired()) {
      serveOnce();
    }
    return answer.get(1, TimeUnit.SECONDS);
  }

  private void serveOnce() {
    try (Poller poller = new Poller(1)) {
      poller.add(channel.number(), Poller.IN);
      if (poller.await(TimeUnit.MILLISECONDS.toNanos(5)) > 0) {
        channel.serveAvailable();
      }
    }
  }

  private static VringArea area(int ring) {
    return new VringArea(ring, true, 0, 0);
  }
}
