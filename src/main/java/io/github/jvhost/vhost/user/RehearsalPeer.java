package io.github.jvhost.vhost.user;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.SocketPair;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.virtio.DeviceStatus;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A simulated back end in this process, on which the stop window is rehearsed. It offers what the
 * real one offers, takes every message, closes its descriptors, and answers where an answer is
 * needed. It maps nothing and reads no ring. Its thread ends with it.
 */
public final class RehearsalPeer implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final SocketPair pair;
  private final BackEndConnection backEnd;
  private final BackEndCapabilities capabilities;

  /** The back end's own channel, kept open because the front end would notice its end. */
  private final List<OwnedDescriptor> kept = new ArrayList<>();

  /** By ring: the payload of the newest SET_VRING_BASE, which is where the ring stops. */
  private final Map<Integer, byte[]> bases = new HashMap<>();

  private final Thread thread;

  /**
   * Starts a peer.
   *
   * @param name for messages
   * @param ledger that counts descriptors
   * @param capabilities what the real back end offers
   */
  public RehearsalPeer(String name, DescriptorLedger ledger, BackEndCapabilities capabilities) {
    this.capabilities = capabilities;
    pair = SocketPair.open(ledger, name);
    try {
      backEnd = BackEndConnection.adopt(pair.other(), name, ledger);
    } catch (RuntimeException e) {
      pair.close();
      throw e;
    }
    thread = Thread.ofPlatform().name("jvhost-rehearsal").daemon().start(this::answerAll);
  }

  /** {@return the front end's end} It is closed with this, if no connection has taken it over. */
  public OwnedDescriptor frontEnd() {
    return pair.one();
  }

  private void answerAll() {
    try {
      while (true) {
        Received received = backEnd.receive(Deadline.after(PATIENCE));
        boolean channel =
            requestOf(received.header()) == FrontEndRequest.SET_BACKEND_REQ_FD && kept.isEmpty();
        if (channel) {
          kept.addAll(received.descriptors());
        } else {
          received.descriptors().forEach(OwnedDescriptor::close);
        }
        if (requestOf(received.header()) == FrontEndRequest.SET_VRING_BASE) {
          bases.put(ringOf(received), received.payload());
        }
        answer(received);
      }
    } catch (VhostException e) {
      // The front end's side was closed: the rehearsal is over.
    }
  }

  private FrontEndRequest requestOf(Header header) {
    return capabilities.dialect().requestOf(header.request()).orElse(FrontEndRequest.GET_FEATURES);
  }

  private void answer(Received received) {
    Header header = received.header();
    FrontEndRequest request = requestOf(header);
    boolean explicit = request.explicitReply(capabilities.protocolFeatures()).isPresent();
    if (!explicit && !header.needsReply()) {
      return;
    }
    byte[] payload =
        switch (request) {
          case GET_FEATURES -> number(capabilities.features());
          case GET_PROTOCOL_FEATURES -> number(capabilities.protocolFeatures());
          case GET_QUEUE_NUM -> number(capabilities.maxQueuePairs());
          case GET_MAX_MEM_SLOTS -> number(capabilities.memorySlots());
          case GET_VRING_BASE -> bases.getOrDefault(ringOf(received), received.payload());
          case GET_STATUS -> number(DeviceStatus.RUNNING);
          case GET_INFLIGHT_FD -> new byte[Inflight.SIZE]; // of no bytes: there is none to share
          default -> number(0);
        };
    backEnd.reply(
        header.request(), Header.REPLY_FLAGS, payload, List.of(), Deadline.after(PATIENCE));
  }

  /** The ring of a VringState, with which its payload begins. */
  private static int ringOf(Received received) {
    return ByteBuffer.wrap(received.payload()).order(ByteOrder.nativeOrder()).getInt();
  }

  private static byte[] number(long value) {
    return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder()).putLong(value).array();
  }

  /** Ends the peer's thread, once the other side is closed, and closes this side. */
  @Override
  public void close() {
    pair.one().close();
    try {
      thread.join(PATIENCE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    backEnd.close();
    kept.forEach(OwnedDescriptor::close);
  }
}
