package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndChannel;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.StoppedRings;
import io.github.jvhost.vhost.user.Flight;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * One vhost-user connection to a back end: the channel, what was negotiated on it, and the back
 * end's own channel. It is made without touching its device, so that the device can be used while
 * another attempt to reach its back end is under way.
 *
 * <p>One thread at a time.
 */
final class DeviceConnection implements Carrier {
  /** The kernel's limit on a vhost memory table, and QEMU's on slots. */
  private static final int MAX_MEMORY_SLOTS = 512;

  private static final int MAX_QUEUE_PAIRS = 0x8000;

  private final VhostUserChannel channel;
  private final VhostUserFrontEnd frontEnd;
  private final BackEndCapabilities capabilities;
  private final @Nullable BackEndRequestDispatch dispatch;

  private DeviceConnection(
      VhostUserChannel channel,
      VhostUserFrontEnd frontEnd,
      BackEndCapabilities capabilities,
      @Nullable BackEndRequestDispatch dispatch) {
    this.channel = channel;
    this.frontEnd = frontEnd;
    this.capabilities = capabilities;
    this.dispatch = dispatch;
  }

  /**
   * Connects and asks the back end what it can do. Nothing of a guest is sent yet.
   *
   * @param call signals the call of a ring whose notifications come as messages
   * @throws VhostException if it is not there (RETRY), or if what answers is no back end
   */
  static DeviceConnection open(VhostDeviceOptions options, IntConsumer call) {
    Deadline deadline = Deadline.after(options.connectWithin());
    VhostUserChannel channel =
        Carriers.channel(
            options.address(), options.name(), options.dialect(), options.ledger(), deadline);
    try {
      if (options.observer() == RecordsNothing.OBSERVER) {
        channel.unrecorded();
      }
      channel.replyDeadlines(options.replies());
      return handshake(channel, options, call);
    } catch (RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /**
   * Negotiates in the order that works with every back end (GET_FEATURES,
   * GET/SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, GET_MAX_MEM_SLOTS, SET_BACKEND_REQ_FD, SET_OWNER,
   * GET_FEATURES).
   */
  private static DeviceConnection handshake(
      VhostUserChannel channel, VhostDeviceOptions options, IntConsumer call) {
    var frontEnd = new VhostUserFrontEnd(channel, options.connectWithin());
    long features = frontEnd.getFeatures();
    long negotiated = 0;
    int maxQueuePairs = 1;
    int memorySlots = 0;
    BackEndRequestDispatch dispatch = null;
    if ((features & VhostFeature.PROTOCOL_FEATURES) != 0) {
      negotiated = choose(frontEnd.getProtocolFeatures(), options);
      frontEnd.setProtocolFeatures(negotiated);
      if (ProtocolFeature.MQ.isIn(negotiated)) {
        maxQueuePairs =
            inRange(options, "GET_QUEUE_NUM", frontEnd.getQueueNum(), 1, MAX_QUEUE_PAIRS);
      }
      if (ProtocolFeature.CONFIGURE_MEM_SLOTS.isIn(negotiated)) {
        long slots = frontEnd.getMaxMemSlots();
        memorySlots =
            Math.min(
                MAX_MEMORY_SLOTS,
                inRange(options, "GET_MAX_MEM_SLOTS", slots, 1, Integer.MAX_VALUE));
      }
      if (ProtocolFeature.BACKEND_REQ.isIn(negotiated)) {
        dispatch = openBackEndChannel(channel, frontEnd, negotiated, options, call);
      }
    }
    frontEnd.setOwner();
    features = frontEnd.getFeatures();
    var capabilities =
        new BackEndCapabilities(
            features, negotiated, maxQueuePairs, memorySlots, options.dialect(), options.profile());
    return new DeviceConnection(channel, frontEnd, capabilities, dispatch);
  }

  private static long choose(long offered, VhostDeviceOptions options) {
    Dialect dialect = options.dialect();
    long chosen =
        offered
            & ((options.protocolFeatures() & ~dialect.maskedProtocolFeatures())
                | dialect.presetupMask());
    if (!ProtocolFeature.STATUS.isIn(chosen)) {
      chosen &= ~dialect.presetupMask(); // without a status the back end cannot hold its rings back
    }
    return FeatureRules.keep(chosen, dialect);
  }

  private static int inRange(
      VhostDeviceOptions options, String question, long answer, int least, int most) {
    if (answer < least || answer > most) {
      throw new VhostException(
          "%s: %s answered %s".formatted(options.name(), question, Long.toUnsignedString(answer)),
          Recovery.GIVE_UP);
    }
    return (int) answer;
  }

  private static BackEndRequestDispatch openBackEndChannel(
      VhostUserChannel channel,
      VhostUserFrontEnd frontEnd,
      long negotiated,
      VhostDeviceOptions options,
      IntConsumer call) {
    var dispatch =
        new BackEndRequestDispatch(
            options.events(), call, update -> sendTranslation(channel, update, options));
    BackEndChannel.Opened opened =
        BackEndChannel.open(options.name(), options.dialect(), options.ledger(), dispatch);
    opened.channel().negotiated(negotiated);
    channel.serve(opened.channel());
    try {
      frontEnd.setBackendReqFd(opened.theirs());
    } finally {
      opened.theirs().close();
    }
    return dispatch;
  }

  private static void sendTranslation(
      VhostUserChannel channel, Iotlb update, VhostDeviceOptions options) {
    channel.sendUncollected(
        FrontEndRequest.IOTLB_MSG, update, Deadline.after(options.transitionWithin()));
  }

  /** Every request as a method. */
  VhostUserFrontEnd frontEnd() {
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
  public @Nullable VhostException look(Deadline deadline) {
    if (channel.backEndNumber() >= 0) {
      channel.serveBackEnd();
    }
    if (!channel.receiveAvailable()) {
      return null;
    }
    try {
      channel.awaitReply(deadline).descriptors().forEach(d -> d.close());
      return null;
    } catch (VhostException e) {
      return e;
    }
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
