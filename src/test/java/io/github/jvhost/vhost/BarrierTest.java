package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.BackEndListener;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.BackEndState;
import io.github.jvhost.testkit.Outcome.Verdict;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.virtio.DeviceStatus;
import io.netty.buffer.Unpooled;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The status that comes back at the end of a start is believed, not the acknowledgements. */
class BarrierTest {
  private static final int RUNNING = 0xf;

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(ints = {RUNNING | DeviceStatus.FAILED, RUNNING | DeviceStatus.NEEDS_RESET, 0xb, 0x8})
  void aStartThatLeftTheBackEndInAnotherStatusHasFailed(int status) throws InterruptedException {
    var outcome = start(status);

    assertThat(outcome.failure())
        .isInstanceOf(BackEndRefusedException.class)
        .hasMessageContaining("the device was started, and the back end's status is")
        .hasMessageContaining(DeviceStatus.describe(status));
    assertThat(outcome.complete()).isFalse();
  }

  @Test
  void aStartThatLeftItRunningHasNot() throws InterruptedException {
    assertThat(start(RUNNING).complete()).isTrue();
  }

  private Outcome start(int status) throws InterruptedException {
    Path socket = dir.resolve("nic");
    try (Configs configs = new Configs();
        BackEndListener listener = BackEndListener.listen(socket, configs.ledger)) {
      Thread backEnd = Thread.ofPlatform().start(() -> serve(listener, status));
      try (VhostDevice device =
          VhostDevice.connect(
              VhostDeviceOptions.of(
                  "nic", socket, Dialect.UPSTREAM, BackEndProfile.GENERIC, configs.ledger))) {
        return device.execute(device.plan(configs.running(2)), Rig.soon());
      } finally {
        assertThat(backEnd.join(Duration.ofSeconds(20))).isTrue();
      }
    }
  }

  /** A back end that takes everything, and has one status to tell whatever it was told. */
  private static void serve(BackEndListener listener, int status) {
    BackEndState state = new BackEndState(BackEndOffer.of(Personality.DPDK), _ -> 0);
    try (BackEndConnection connection = listener.accept(Rig.soon())) {
      while (connection != null) {
        answer(connection, connection.receive(Rig.soon()), state, status);
      }
    } catch (VhostException e) {
      // The front end has gone, which is how each of these tests ends.
    }
  }

  private static void answer(
      BackEndConnection connection, Received received, BackEndState state, int status) {
    received.descriptors().forEach(OwnedDescriptor::close);
    Header header = received.header();
    FrontEndRequest request = Dialect.UPSTREAM.requestOf(header.request()).orElseThrow();
    byte[] body = received.payload();
    Payload told = request.payload().decode(Unpooled.wrappedBuffer(body), body.length);
    var outcome = state.handle(request, told, received.descriptors().size());
    Payload answer =
        request == FrontEndRequest.GET_STATUS
            ? new U64(status)
            : outcome.verdict() == Verdict.ANSWERED
                ? outcome.answer()
                : new U64(outcome.tookEffect() ? 0 : 1);
    if (outcome.verdict() == Verdict.ANSWERED || header.needsReply()) {
      byte[] payload = new byte[answer.size()];
      answer.encode(Unpooled.wrappedBuffer(payload).clear());
      connection.reply(header.request(), Header.REPLY_FLAGS, payload, List.of(), Rig.soon());
    }
  }
}
