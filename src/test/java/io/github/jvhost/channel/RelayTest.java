package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.u64;
import static io.github.jvhost.channel.ChannelPair.words;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.BackEndRequester;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.channel.backend.RelayedMessage;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is said reaches the other side as it was said, and nothing stays behind. */
@Timeout(60)
class RelayTest {
  private RelayRig rig;

  @BeforeEach
  void makeRoom() throws IOException {
    rig = new RelayRig();
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    rig.close();
  }

  @Test
  void descriptorsKeepToTheirMessagesAcrossAThousandOfThem() throws Exception {
    var random = new SplittableRandom(4711);
    try (var listener = rig.backEnd();
        var _ = rig.relay();
        VhostUserChannel channel = rig.connect();
        BackEndConnection peer = Objects.requireNonNull(listener.accept(soon()))) {
      int sent = 0;
      while (sent < 1_000) {
        List<MemoryFile> files = new ArrayList<>();
        List<Integer> expected = new ArrayList<>(); // pages of the descriptor, 0: a plain message
        for (int n = 1 + random.nextInt(30); n > 0; n--) {
          sent++;
          if (random.nextInt(3) == 0) {
            MemoryFile file = rig.file(sent);
            files.add(file);
            expected.add(sent);
            channel.send(
                FrontEndRequest.SET_VRING_KICK,
                new VringDescriptor(sent & 0xFF, false),
                List.of(file.descriptor()),
                false,
                soon());
          } else {
            expected.add(0);
            channel.send(
                FrontEndRequest.SET_VRING_BASE,
                new VringState(sent & 0xFF, sent),
                List.of(),
                false,
                soon());
          }
        }
        channel.flush(soon());
        files.forEach(MemoryFile::close);
        for (int pages : expected) {
          Received received = peer.receive(soon());
          assertThat(received.descriptors()).as("seed 4711").hasSize(pages == 0 ? 0 : 1);
          if (pages != 0) {
            assertThat(received.header().request()).isEqualTo(12);
            assertThat(RelayRig.pagesOf(received.descriptors().getFirst())).isEqualTo(pages);
          }
        }
      }
      int count = sent;
      for (int i = 0; i < count; i++) {
        assertThat(rig.seen.message().route()).isEqualTo(RelayRoute.TO_BACK_END);
      }
    }
  }

  @Test
  void anAnswerComesBackWithItsDescriptor() throws Exception {
    try (var listener = rig.backEnd();
        var _ = rig.relay();
        VhostUserChannel channel = rig.connect();
        BackEndConnection peer = Objects.requireNonNull(listener.accept(soon()))) {
      channel.send(
          FrontEndRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 2, 256), List.of(), false, soon());
      channel.flush(soon());
      Received asked = peer.receive(soon());
      try (MemoryFile file = rig.file(7)) {
        peer.reply(
            31,
            Header.REPLY_FLAGS,
            words(RelayRig.PAGE, 0, 0, 0, 2 | 256 << 16, 0),
            List.of(file.descriptor()),
            soon());
      }
      Reply reply = channel.awaitReply(soon());

      assertThat(asked.header().request()).isEqualTo(31);
      assertThat(RelayRig.pagesOf(reply.descriptors().getFirst())).isEqualTo(7);
      RelayedMessage request = rig.seen.message();
      RelayedMessage answer = rig.seen.message();
      assertThat(request.route()).isEqualTo(RelayRoute.TO_BACK_END);
      assertThat(answer.route()).isEqualTo(RelayRoute.TO_FRONT_END);
      assertThat(answer.descriptors()).isEqualTo(1);
      assertThat(answer.arrived()).isGreaterThanOrEqualTo(request.passed());
    }
  }

  @Test
  void theBackEndsOwnChannelIsRelayedBothWays() throws Exception {
    var asked = new LinkedBlockingQueue<BackEndRequest>();
    BackEndChannel.Opened opened =
        BackEndChannel.open(
            "net0",
            Dialect.UPSTREAM,
            rig.ledger,
            (request, _, _) -> {
              asked.add(request);
              return BackEndRequestHandler.Answer.DONE;
            });
    try (var listener = rig.backEnd();
        var _ = rig.relay();
        VhostUserChannel channel = rig.connect();
        BackEndConnection peer = Objects.requireNonNull(listener.accept(soon()))) {
      channel.serve(opened.channel());
      try (OwnedDescriptor theirs = opened.theirs()) {
        channel.send(
            FrontEndRequest.SET_BACKEND_REQ_FD, NoPayload.INSTANCE, List.of(theirs), false, soon());
        channel.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, List.of(), false, soon());
        channel.flush(soon());
      }
      OwnedDescriptor socket = peer.receive(soon()).descriptors().getFirst();
      peer.receive(soon());
      try (BackEndRequester requester = BackEndRequester.adopt(socket, "peer", rig.ledger)) {
        requester.send(BackEndRequest.CONFIG_CHANGE_MSG, new byte[0], List.of(), true, soon());
        // It answers the main socket only when it has its own answer, as DPDK does.
        var answered =
            ChannelPair.inThread(() -> {
              long result = requester.awaitAnswer(soon()).result();
              peer.reply(1, Header.REPLY_FLAGS, u64(42), List.of(), soon());
              return result;
            });
        assertThat(channel.awaitReply(soon()).payload()).isEqualTo(new U64(42));
        assertThat(answered.get(20, TimeUnit.SECONDS)).isZero();
      }
      assertThat(asked).containsExactly(BackEndRequest.CONFIG_CHANGE_MSG);
      List<RelayRoute> routes = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        routes.add(rig.seen.message().route());
      }
      assertThat(routes)
          .containsExactly(
              RelayRoute.TO_BACK_END,
              RelayRoute.TO_BACK_END,
              RelayRoute.ASKED,
              RelayRoute.ANSWERED,
              RelayRoute.TO_FRONT_END);
    }
  }
}
