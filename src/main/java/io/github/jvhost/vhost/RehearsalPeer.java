package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndConnection;
import io.github.jvhost.channel.LoopbackPair;
import io.github.jvhost.channel.Received;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.virtio.DeviceStatus;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.List;

/**
 * A back end in name only, in this process, on which the stop window is rehearsed: it takes every
 * message, closes what came with it, and answers what has to be answered. Its thread ends with it.
 */
public final class RehearsalPeer implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(10);
  private static final byte[] ACKNOWLEDGED = number(0);
  private static final byte[] RUNNING =
      number(
          DeviceStatus.ACKNOWLEDGE
              | DeviceStatus.DRIVER
              | DeviceStatus.FEATURES_OK
              | DeviceStatus.DRIVER_OK);

  private final LoopbackPair pair;
  private final BackEndCapabilities capabilities;
  private final Thread thread;

  /** For a device whose back end can do this. */
  RehearsalPeer(VhostDeviceOptions options, BackEndCapabilities capabilities) {
    this.capabilities = capabilities;
    pair = LoopbackPair.open(options.name() + " rehearsal", options.dialect(), options.ledger());
    pair.frontEnd().negotiated(capabilities.protocolFeatures());
    thread = Thread.ofPlatform().name("jvhost-rehearsal").daemon().start(this::answerAll);
  }

  VhostUserChannel channel() {
    return pair.frontEnd();
  }

  private void answerAll() {
    try (BackEndConnection backEnd = pair.backEnd()) {
      while (true) {
        Received received = backEnd.receive(Deadline.after(PATIENCE));
        received.descriptors().forEach(OwnedDescriptor::close);
        answer(backEnd, received);
      }
    } catch (VhostException e) {
      // The front end's side was closed, which is how a rehearsal ends.
    }
  }

  private void answer(BackEndConnection backEnd, Received received) {
    Header header = received.header();
    FrontEndRequest request =
        capabilities.dialect().requestOf(header.request()).orElse(FrontEndRequest.GET_FEATURES);
    boolean explicit = request.explicitReply(capabilities.protocolFeatures()).isPresent();
    if (!explicit && !header.needsReply()) {
      return;
    }
    byte[] payload =
        switch (request) {
          case GET_VRING_BASE -> received.payload();
          case GET_STATUS -> RUNNING;
          case GET_INFLIGHT_FD -> new byte[Inflight.SIZE]; // of no bytes: there is none to share
          default -> ACKNOWLEDGED;
        };
    backEnd.reply(
        header.request(), Header.REPLY_FLAGS, payload, List.of(), Deadline.after(PATIENCE));
  }

  private static byte[] number(long value) {
    return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder()).putLong(value).array();
  }

  /** Ends the peer's thread and closes both sides. */
  @Override
  public void close() {
    pair.frontEnd().close();
    try {
      thread.join(PATIENCE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    pair.backEnd().close();
  }
}
