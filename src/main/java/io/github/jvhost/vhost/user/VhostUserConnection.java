package io.github.jvhost.vhost.user;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndChannel;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndEvents;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.MissHandler;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.StoppedRings;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One vhost-user connection to a back end: the channel, what was negotiated on it, and the back
 * end's own channel. It is made without touching its device, so that the device can be used while
 * another attempt to reach its back end is under way.
 *
 * <p>One thread at a time.
 */
public final class VhostUserConnection implements Carrier {
  private static final Logger log = LoggerFactory.getLogger(VhostUserConnection.class);

  /** The kernel's limit on a vhost memory table, and QEMU's on slots. */
  private static final int MAX_MEMORY_SLOTS = 512;

  private static final int MAX_QUEUE_PAIRS = 0x8000;

  private final VhostUserChannel channel;
  private final Settings settings;
  private final VhostUserFrontEnd frontEnd;
  private final BackEndCapabilities capabilities;
  private final @Nullable BackEndRequestDispatch dispatch;

  /** Whether it was said that the back end goes on without a channel of its own. */
  private boolean saidWithoutChannel;

  /**
   * What a connection is made with, besides its channel.
   *
   * @param profile what is known of the back end
   * @param ledger that counts descriptors
   * @param protocolFeatures bits that are negotiated if the back end offers them; the channel's
   *     dialect adds the bit of PRESETUP
   * @param events handles the requests of the back end
   * @param call signals the call of a ring whose notifications come as messages
   * @param misses answers a back end that lacks a translation
   * @param requestWithin how long each request may take that is no part of a plan
   */
  public record Settings(
      BackEndProfile profile,
      DescriptorLedger ledger,
      long protocolFeatures,
      BackEndEvents events,
      IntConsumer call,
      MissHandler misses,
      Duration requestWithin) {}

  private VhostUserConnection(
      VhostUserChannel channel,
      Settings settings,
      VhostUserFrontEnd frontEnd,
      BackEndCapabilities capabilities,
      @Nullable BackEndRequestDispatch dispatch) {
    this.channel = channel;
    this.settings = settings;
    this.frontEnd = frontEnd;
    this.capabilities = capabilities;
    this.dispatch = dispatch;
  }

  /**
   * Asks the back end what it can do. Nothing of a guest is sent yet.
   *
   * @param channel connected, with nothing sent yet; taken over, also if this fails
   * @param settings what the connection is made with
   * @return the connection, which the caller closes
   * @throws VhostException if what answers is no back end
   */
  public static VhostUserConnection over(VhostUserChannel channel, Settings settings) {
    try {
      return handshake(channel, settings);
    } catch (RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /**
   * Goes on with a connection on which everything was negotiated already. The back end is not asked
   * anything, and it gets no channel of its own.
   *
   * @param channel connected, with no answer outstanding; taken over
   * @param settings what the connection was made with
   * @param capabilities what was negotiated
   * @return the connection, which the caller closes
   */
  public static VhostUserConnection resume(
      VhostUserChannel channel, Settings settings, BackEndCapabilities capabilities) {
    var frontEnd = new VhostUserFrontEnd(channel, settings.requestWithin());
    channel.negotiated(capabilities.protocolFeatures());
    return new VhostUserConnection(channel, settings, frontEnd, capabilities, null);
  }

  /**
   * Negotiates in the order that works with every back end (GET_FEATURES,
   * GET/SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, GET_MAX_MEM_SLOTS, SET_BACKEND_REQ_FD, SET_OWNER,
   * GET_FEATURES).
   */
  private static VhostUserConnection handshake(VhostUserChannel channel, Settings settings) {
    var frontEnd = new VhostUserFrontEnd(channel, settings.requestWithin());
    long features = frontEnd.getFeatures();
    long negotiated = 0;
    int maxQueuePairs = 1;
    int memorySlots = 0;
    BackEndRequestDispatch dispatch = null;
    if ((features & VhostFeature.PROTOCOL_FEATURES) != 0) {
      negotiated = choose(frontEnd.getProtocolFeatures(), channel.dialect(), settings);
      frontEnd.setProtocolFeatures(negotiated);
      if (ProtocolFeature.MQ.isIn(negotiated)) {
        maxQueuePairs =
            inRange(channel, "GET_QUEUE_NUM", frontEnd.getQueueNum(), 1, MAX_QUEUE_PAIRS);
      }
      if (ProtocolFeature.CONFIGURE_MEM_SLOTS.isIn(negotiated)) {
        long slots = frontEnd.getMaxMemSlots();
        memorySlots =
            Math.min(
                MAX_MEMORY_SLOTS,
                inRange(channel, "GET_MAX_MEM_SLOTS", slots, 1, Integer.MAX_VALUE));
      }
      if (ProtocolFeature.BACKEND_REQ.isIn(negotiated)) {
        dispatch = openBackEndChannel(channel, frontEnd, negotiated, settings);
      }
    }
    frontEnd.setOwner();
    features = frontEnd.getFeatures();
    var capabilities =
        new BackEndCapabilities(
            features,
            negotiated,
            maxQueuePairs,
            memorySlots,
            channel.dialect(),
            settings.profile());
    return new VhostUserConnection(channel, settings, frontEnd, capabilities, dispatch);
  }

  private static long choose(long offered, Dialect dialect, Settings settings) {
    long chosen =
        offered
            & ((settings.protocolFeatures() & ~dialect.maskedProtocolFeatures())
                | dialect.presetupMask());
    if (!ProtocolFeature.STATUS.isIn(chosen)) {
      chosen &= ~dialect.presetupMask(); // without a status the back end cannot hold its rings back
    }
    return FeatureRules.keep(chosen, dialect);
  }

  private static int inRange(
      VhostUserChannel channel, String question, long answer, int least, int most) {
    if (answer < least || answer > most) {
      throw new VhostException(
          "%s: %s answered %s".formatted(channel.name(), question, Long.toUnsignedString(answer)),
          Recovery.GIVE_UP);
    }
    return (int) answer;
  }

  private static BackEndRequestDispatch openBackEndChannel(
      VhostUserChannel channel, VhostUserFrontEnd frontEnd, long negotiated, Settings settings) {
    var dispatch =
        new BackEndRequestDispatch(
            settings.events(), settings.call(), settings.misses(), step -> send(channel, step));
    BackEndChannel.Opened opened =
        BackEndChannel.open(channel.name(), channel.dialect(), settings.ledger(), dispatch);
    opened.channel().negotiated(negotiated);
    channel.serve(opened.channel());
    try {
      frontEnd.setBackendReqFd(opened.theirs());
    } finally {
      opened.theirs().close();
    }
    return dispatch;
  }

  /** Sends a step that is no part of a plan; nobody waits for it. */
  private static void send(VhostUserChannel channel, Step step) {
    boolean guestAddresses = ProtocolFeature.GPA_ADDRESSES.isIn(channel.protocolFeatures());
    StepMessage message = StepMessage.of(step, null, null, guestAddresses);
    channel.sendUncollected(message.request(), message.payload());
  }

  /** {@return every request as a method, for tests} The shadow does not record what it sends. */
  public VhostUserFrontEnd frontEnd() {
    return frontEnd;
  }

  @Override
  public BackEndCapabilities capabilities() {
    return capabilities;
  }

  @Override
  public Execution begin(Plan plan, Deadline deadline, StoppedRings rings) {
    return Flight.begin(channel, plan, deadline, rings, this::dropDoorbell);
  }

  @Override
  public Execution prepare(Plan plan, Deadline deadline) {
    return Flight.prepare(channel, plan, deadline, this::dropDoorbell);
  }

  /** Withdraws the doorbell page of a ring that is about to stop ("Host eventfd"). */
  private void dropDoorbell(int ring) {
    if (dispatch != null) {
      dispatch.dropDoorbell(ring);
    }
  }

  @Override
  public boolean usable() {
    return !channel.poisoned() && channel.outstandingReplies() == 0;
  }

  @Override
  public int number() {
    return channel.number();
  }

  @Override
  public int backEndNumber() {
    return channel.backEndNumber();
  }

  @Override
  public boolean wantsLook() {
    return channel.uncollectedReplies() > 0
        || (channel.backEndFailure() != null && (channel.translates() || !saidWithoutChannel));
  }

  @Override
  public @Nullable VhostException look(Deadline deadline) {
    channel.serveBackEnd();
    try {
      if (channel.waitsForRoom()) {
        channel.flush(deadline); // translations that requests have asked for
      }
      if (channel.receiveAvailable()) {
        channel.takeReply().descriptors().forEach(OwnedDescriptor::close);
      }
      VhostException ended = channel.backEndFailure();
      return ended == null ? null : withoutChannel(ended);
    } catch (VhostException e) {
      return e;
    }
  }

  /**
   * Returns why the connection is over when the back end's own channel has ended. Without an IOMMU
   * it is not: there the channel carries notifications only. A back end that ends altogether may
   * close that channel first, so behind an IOMMU it is asked whether it is still there.
   *
   * @throws VhostException if it is not: its rings have stopped then
   */
  private @Nullable VhostException withoutChannel(VhostException ended) {
    if (channel.translates()) {
      long _ = frontEnd.getFeatures();
      return new VhostException(
          ended.getMessage()
              + "; behind an IOMMU it has to ask there for translations, so its connection is"
              + " closed",
          Recovery.RECONNECT);
    }
    if (!saidWithoutChannel) {
      saidWithoutChannel = true;
      log.warn("{}; what the back end wants to say there is lost", ended.getMessage());
    }
    return null;
  }

  @Override
  public boolean announce(byte[] mac) {
    boolean can = capabilities.has(ProtocolFeature.RARP);
    if (can) {
      frontEnd.sendRarp(mac);
    }
    return can;
  }

  @Override
  public void kick(int ring) {
    frontEnd.vringKick(ring);
  }

  @Override
  public byte[] config(int offset, int size) {
    return frontEnd.getConfig(offset, size);
  }

  @Override
  public Optional<OwnedDescriptor> sharedObject(SharedObject object) {
    return Optional.ofNullable(frontEnd.getSharedObject(object));
  }

  @Override
  public List<Long> sharedMemory() {
    return frontEnd.getShmemConfig().sizes();
  }

  @Override
  public long saveState(WritableByteChannel into, long limit, Deadline deadline) {
    return new BackEndStateTransfer(settings.ledger(), limit).save(frontEnd, into, deadline);
  }

  @Override
  public long loadState(ReadableByteChannel from, long limit, Deadline deadline) {
    return new BackEndStateTransfer(settings.ledger(), limit).load(frontEnd, from, deadline);
  }

  @Override
  public boolean isServingHere() {
    return channel.isServingHere();
  }

  /** Mappings into shared memory regions end with the reset (vhost-user, SHMEM_MAP). */
  @Override
  public void deviceWasReset() {
    if (dispatch != null) {
      dispatch.endMappings();
    }
  }

  /** Withdraws doorbell pages and mappings, then closes the connection. */
  @Override
  public void close() {
    try {
      if (dispatch != null) {
        dispatch.endMappings();
        dispatch.dropDoorbells();
      }
    } finally {
      channel.close();
    }
  }
}
