package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.ReplyDeadlines;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.SocketPair;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.newsclub.net.unix.AFUNIXSocketAddress;
import org.newsclub.net.unix.AFUNIXSocketChannel;
import org.newsclub.net.unix.FileDescriptorCast;

/** A back end that comes to us, one that was handed over, and one that does not answer. */
class ConnectionKindsTest {
  @TempDir private Path dir;

  private static BackEndOffer offer() {
    return BackEndOffer.of(Personality.GENERIC);
  }

  private static VhostDeviceOptions at(BackEndAddress address, DescriptorLedger ledger) {
    return VhostDeviceOptions.of("net0", address, Dialect.UPSTREAM, BackEndProfile.GENERIC, ledger)
        .withBounds(Duration.ofSeconds(10), Duration.ofSeconds(10), Duration.ofSeconds(10));
  }

  @Test
  void aBackEndConnectsToUsAndAgainAfterALoss() throws InterruptedException {
    Path path = dir.resolve("listening");
    CountDownLatch recovered = new CountDownLatch(1);
    try (Rig rig = new Rig(dir, 0, offer(), BackEndProfile.GENERIC);
        FrontEndListener listener = FrontEndListener.listen(path);
        BackEndWatch watch =
            BackEndWatch.start(
                rig.ledger,
                new BackEndWatch.Listener() {
                  @Override
                  public void recovered(VhostNet net, int attempts, boolean running) {
                    recovered.countDown();
                  }
                })) {
      rig.eventfds.add(RingEventfds.create(rig.ledger, "net0", Rig.RINGS));
      rig.backEnds.add(
          MockBackEnd.builder(dir.resolve("client"), rig.ledger)
              .offer(offer())
              .connectsTo(path)
              .start());
      VhostNet net = rig.connect(0, at(new BackEndAddress.Listening(listener), rig.ledger));
      rig.nets.add(net);
      watch.watch(net, new ReconnectPolicy.Fixed(Duration.ofMillis(1), 0));
      rig.driveAll();
      net.start();
      assertThat(rig.backEnd().isRunning()).isTrue();
      rig.backEnd().hangUp();
      assertThat(recovered.await(20, TimeUnit.SECONDS)).isTrue();
      assertThat(net.running()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void aConnectionIsHandedOverOnce() throws IOException {
    try (Rig rig = new Rig(dir, 0, offer(), BackEndProfile.GENERIC)) {
      MockBackEnd backEnd = rig.addBackEnd(Faults.none());
      OwnedDescriptor connected;
      try (AFUNIXSocketChannel socket = AFUNIXSocketChannel.open()) {
        socket.connect(AFUNIXSocketAddress.of(backEnd.socket()));
        int number = FileDescriptorCast.using(socket.getFileDescriptor()).as(Integer.class);
        connected = OwnedDescriptor.duplicateOf(rig.ledger, number, "handed over");
        // The library's close would end the connection for everybody, so it comes last.
        VhostNet net = rig.connect(0, at(new BackEndAddress.Connected(connected), rig.ledger));
        rig.nets.add(net);
        rig.driveAll();
        net.start();
        assertThat(backEnd.isRunning()).isTrue();
        backEnd.hangUp();
        assertThatThrownBy(net::reconnect)
            .isInstanceOf(VhostException.class)
            .hasMessageContaining("it was used before")
            .extracting(e -> ((VhostException) e).recovery())
            .isEqualTo(Recovery.GIVE_UP);
      }
    }
  }

  @Test
  void oneThatNeverAnswersIsGivenUpByTheMessagesOwnDeadline() {
    try (Rig rig = new Rig(dir, 0, offer(), BackEndProfile.GENERIC)) {
      rig.addBackEnd(Faults.none());
      VhostDeviceOptions options =
          rig.options(0, Duration.ofMinutes(10))
              .withReplies(
                  // What was told without asking, the status before it, may take its time as well.
                  ReplyDeadlines.DEFAULTS
                      .withMemory(Duration.ofMillis(300))
                      .withStart(Duration.ofMillis(300)));
      VhostNet net = rig.connect(0, options);
      rig.nets.add(net);
      rig.driveAll();
      rig.backEnd()
          .arm(Faults.none().at(FrontEndRequest.SET_MEM_TABLE, 1, new Faults.Wrong.NeverAnswers()));
      assertThatThrownBy(net::start)
          .isInstanceOf(DeadlineException.class)
          .hasMessageContaining("SET_MEM_TABLE")
          .hasMessageContaining("300 ms")
          .extracting(e -> ((VhostException) e).recovery())
          .isEqualTo(Recovery.RECONNECT);
      assertThat(net.connected()).as("a late reply cannot be taken for another").isFalse();
      rig.backEnd().arm(Faults.none());
      net.reconnect().orThrow();
      assertThat(rig.backEnd().isRunning()).isTrue();
    }
  }

  /** Answers what is asked of a new connection, up to the number of queue pairs or slots. */
  private static void handshake(BackEndConnection peer, ProtocolFeature feature, long answer) {
    for (boolean asked = false; !asked; ) {
      Received received = peer.receive(Rig.soon());
      received.descriptors().forEach(OwnedDescriptor::close);
      int id = received.header().request();
      FrontEndRequest request = Dialect.UPSTREAM.requestOf(id).orElseThrow();
      switch (request) {
        case GET_FEATURES -> reply(peer, id, VhostFeature.PROTOCOL_FEATURES | 1L << 32);
        case GET_PROTOCOL_FEATURES -> reply(peer, id, feature.mask());
        case GET_QUEUE_NUM, GET_MAX_MEM_SLOTS -> {
          reply(peer, id, answer);
          asked = true;
        }
        default -> assertThat(request).isEqualTo(FrontEndRequest.SET_PROTOCOL_FEATURES);
      }
    }
  }

  private static void reply(BackEndConnection peer, int id, long value) {
    byte[] payload = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder()).putLong(value).array();
    peer.reply(id, Header.REPLY_FLAGS, payload, List.of(), Rig.soon());
  }

  @ParameterizedTest
  @CsvSource({
    "MQ, 0, GET_QUEUE_NUM answered 0",
    "MQ, -1, GET_QUEUE_NUM answered 18446744073709551615",
    "CONFIGURE_MEM_SLOTS, 0, GET_MAX_MEM_SLOTS answered 0"
  })
  void aBackEndWithAnImpossibleNumberOfAnythingIsNotUsed(
      ProtocolFeature feature, long answer, String says) throws Exception {
    try (Rig rig = new Rig(dir, 0, offer(), BackEndProfile.GENERIC)) {
      SocketPair pair = SocketPair.open(rig.ledger, "of a test");
      rig.addBackEnd(Faults.none());
      VhostDeviceOptions options =
          at(new BackEndAddress.Connected(pair.one()), rig.ledger).with(feature);
      try (var peer = BackEndConnection.adopt(pair.other(), "be", rig.ledger)) {
        var playing =
            new FutureTask<>(() -> {
              handshake(peer, feature, answer);
              return true;
            });
        Thread.ofPlatform().daemon().start(playing);

        assertThatThrownBy(() -> rig.connect(0, options))
            .isInstanceOf(VhostException.class)
            .hasMessage("net0: " + says)
            .extracting(e -> ((VhostException) e).recovery())
            .isEqualTo(Recovery.GIVE_UP);
        assertThat(playing.get(20, TimeUnit.SECONDS)).isTrue();
      }
    }
  }
}
