package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.Reply;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.Deadline;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One device at one back end, whatever kind of device it is: the connection, what was negotiated on
 * it, and the shadow of what the back end holds. Not thread-safe.
 */
public final class VhostDevice implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(VhostDevice.class);

  /** What this front end makes use of. */
  private static final long WANTED =
      ProtocolFeature.MQ.mask()
          | ProtocolFeature.LOG_SHMFD.mask()
          | ProtocolFeature.RARP.mask()
          | ProtocolFeature.REPLY_ACK.mask()
          | ProtocolFeature.MTU.mask()
          | ProtocolFeature.STATUS.mask();

  private final VhostDeviceOptions options;
  private @Nullable VhostUserChannel channel;
  private BackEndCapabilities capabilities;
  private Shadow shadow = Shadow.nothingTold();

  private VhostDevice(VhostDeviceOptions options) {
    this.options = options;
    this.capabilities = new BackEndCapabilities(0, 0, 0, options.dialect(), options.profile());
  }

  /**
   * Connects and asks the back end what it can do. Nothing is told yet that belongs to a guest.
   *
   * @throws VhostException there is no such socket (RETRY), or what answers is no back end
   */
  public static VhostDevice connect(VhostDeviceOptions options) {
    var device = new VhostDevice(options);
    device.connect();
    return device;
  }

  private void connect() {
    Deadline deadline = Deadline.after(options.connectWithin());
    VhostUserChannel opened =
        VhostUserChannel.connect(
            options.socket(), options.name(), options.dialect(), options.ledger(), deadline);
    boolean kept = false;
    try {
      capabilities = handshake(opened, deadline);
      channel = opened;
      shadow = Shadow.nothingTold();
      kept = true;
      log.debug("{}: connected, {}", options.name(), capabilities);
    } finally {
      if (!kept) {
        opened.close();
      }
    }
  }

  /**
   * The order that works with every back end (GET_FEATURES, GET/SET_PROTOCOL_FEATURES,
   * GET_QUEUE_NUM, SET_OWNER).
   */
  private BackEndCapabilities handshake(VhostUserChannel opened, Deadline deadline) {
    long features = ask(opened, FrontEndRequest.GET_FEATURES, deadline);
    long protocolFeatures = 0;
    int maxQueuePairs = 1;
    if ((features & VhostFeature.PROTOCOL_FEATURES) != 0) {
      long offered = ask(opened, FrontEndRequest.GET_PROTOCOL_FEATURES, deadline);
      Dialect dialect = options.dialect();
      protocolFeatures =
          offered & ((WANTED & ~dialect.maskedProtocolFeatures()) | dialect.presetupMask());
      if ((protocolFeatures & ProtocolFeature.STATUS.mask()) == 0) {
        protocolFeatures &= ~dialect.presetupMask(); // without a status nothing holds the rings
      }
      tell(opened, FrontEndRequest.SET_PROTOCOL_FEATURES, new U64(protocolFeatures), deadline);
      opened.negotiated(protocolFeatures);
      if ((protocolFeatures & ProtocolFeature.MQ.mask()) != 0) {
        long pairs = ask(opened, FrontEndRequest.GET_QUEUE_NUM, deadline);
        if (pairs < 1 || pairs > 0x8000) {
          throw new VhostException(
              "%s: GET_QUEUE_NUM answered %d queue pairs".formatted(options.name(), pairs),
              Recovery.GIVE_UP);
        }
        maxQueuePairs = (int) pairs;
      }
    }
    tell(opened, FrontEndRequest.SET_OWNER, NoPayload.INSTANCE, deadline);
    features = ask(opened, FrontEndRequest.GET_FEATURES, deadline);
    return new BackEndCapabilities(
        features, protocolFeatures, maxQueuePairs, options.dialect(), options.profile());
  }

  private static long ask(VhostUserChannel opened, FrontEndRequest request, Deadline deadline) {
    opened.send(request, NoPayload.INSTANCE, List.of(), false, deadline);
    opened.flush(deadline);
    Reply reply = opened.awaitReply(deadline);
    return ((U64) reply.payload()).value();
  }

  private static void tell(
      VhostUserChannel opened, FrontEndRequest request, Payload payload, Deadline deadline) {
    opened.send(request, payload, List.of(), false, deadline);
    opened.flush(deadline);
  }

  /**
   * Closes what is left of the connection and makes a new one. The back end is told nothing yet.
   *
   * @throws VhostException it is not there (RETRY), or it can less than before (GIVE_UP)
   */
  public void reconnect() {
    BackEndCapabilities before = capabilities;
    disconnect();
    connect();
    long lost = before.features() & ~capabilities.features();
    if (lost != 0 || capabilities.maxQueuePairs() < before.maxQueuePairs()) {
      BackEndCapabilities now = capabilities;
      disconnect();
      capabilities = before; // still what the next one is measured against
      throw new VhostException(
          "%s: the back end came back with less than before: features 0x%x are gone, %d queue pairs of %d"
              .formatted(options.name(), lost, now.maxQueuePairs(), before.maxQueuePairs()),
          Recovery.GIVE_UP);
    }
  }

  /** The device's name. */
  public String name() {
    return options.name();
  }

  /** The options that it was made with. */
  public VhostDeviceOptions options() {
    return options;
  }

  /** What was negotiated on the newest connection. */
  public BackEndCapabilities capabilities() {
    return capabilities;
  }

  /** What the back end is known to hold. */
  public Shadow shadow() {
    return shadow;
  }

  /** Whether there is a connection on which something can still be said. */
  public boolean connected() {
    return channel != null && !channel.poisoned();
  }

  /** How the back end gets from what it holds to this. */
  public Plan plan(DeviceConfig desired) {
    return Planner.plan(shadow, desired, capabilities);
  }

  /**
   * Begins a plan that was made for this device; {@link #finish} has to follow.
   *
   * @param deadline for all of it
   */
  public Execution begin(Plan plan, Deadline deadline) {
    if (channel == null) {
      return new FailedExecution(
          plan,
          new VhostException(
              options.name() + ": there is no connection to the back end; connect again first",
              Recovery.RECONNECT));
    }
    return new VhostUserOps(channel).begin(plan, deadline);
  }

  /**
   * Folds what became of a plan into the shadow. A connection on which an answer is still to come
   * is closed: it would be taken for the answer to a later request.
   */
  public Outcome finish(Execution execution) {
    Outcome outcome = execution.outcome();
    shadow = shadow.after(execution.plan(), outcome);
    if (channel != null && (channel.poisoned() || channel.outstandingReplies() > 0)) {
      channel.close();
      channel = null;
    }
    if (log.isDebugEnabled()) {
      log.debug("{}: {}", options.name(), outcome);
    }
    return outcome;
  }

  /** Carries out a plan, alone. The outcome tells of a failure; this does not throw it. */
  public Outcome execute(Plan plan, Deadline deadline) {
    Execution execution = begin(plan, deadline);
    SideBySide.run(List.of(execution), deadline);
    return finish(execution);
  }

  /**
   * Has the back end announce a MAC address (SEND_RARP), without waiting.
   *
   * @return whether it can; otherwise nothing was sent
   */
  public boolean sendRarp(byte[] mac, Deadline deadline) {
    if (channel == null || !capabilities.has(ProtocolFeature.RARP)) {
      return false;
    }
    tell(channel, FrontEndRequest.SEND_RARP, U64.ofMac(mac), deadline);
    return true;
  }

  /** Closes the connection; the back end forgets everything. */
  public void disconnect() {
    if (channel != null) {
      channel.close();
      channel = null;
    }
    shadow = Shadow.nothingTold();
  }

  @Override
  public void close() {
    disconnect();
  }
}
