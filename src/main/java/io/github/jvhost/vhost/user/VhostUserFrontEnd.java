package io.github.jvhost.vhost.user;

import static io.github.jvhost.protocol.FrontEndRequest.*;

import io.github.jvhost.Bytes;
import io.github.jvhost.channel.Reply;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.ConfigSpace;
import io.github.jvhost.protocol.DeviceStateTransfer;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.PresetupCode;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.protocol.ShmemConfig;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.vhost.plan.Plan;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Every request of the protocol that makes sense for a network device, or for any device, as a
 * method. It sends the request, waits if there is an answer, and checks the answer. It is for
 * handshakes, tools, and tests of back ends. A device uses a {@link Plan} instead, which waits once
 * for many messages.
 *
 * <p>If REPLY_ACK is negotiated, requests that can fail and matter later wait for an
 * acknowledgement: memory, ring layout, eventfds, enabling, features, status, MTU, configuration.
 * SET_OWNER, the protocol features, an announcement, a kick, the log's eventfd and PRESETUP do not.
 *
 * <p>For all methods: the caller keeps the descriptors that it passes, and owns those that are
 * returned. The methods throw
 *
 * <ul>
 *   <li>{@link io.github.jvhost.VhostException} (GIVE_UP), with nothing sent, when a feature was
 *       not negotiated;
 *   <li>{@link BackEndRefusedException} when the back end answers with a failure;
 *   <li>{@link io.github.jvhost.protocol.ProtocolException} when the answer is invalid, {@link
 *       io.github.jvhost.DeadlineException}, {@link io.github.jvhost.BackEndGoneException}.
 * </ul>
 *
 * <p>It owns nothing; the owner of the channel keeps it. One thread at a time, as with the channel,
 * and not while a plan is under way on it.
 */
public final class VhostUserFrontEnd {
  private final RequestExchange exchange;

  /** The features that were offered, then those acknowledged; all bits before they are known. */
  private long offered = -1;

  private long acknowledged = -1;

  /**
   * A front end on a connection.
   *
   * @param channel its owner keeps it
   * @param within how long each request may take, sending and answer together
   */
  public VhostUserFrontEnd(VhostUserChannel channel, Duration within) {
    this.exchange = new RequestExchange(channel, within);
  }

  /** {@return the connection that it uses} */
  public VhostUserChannel channel() {
    return exchange.channel();
  }

  /** {@return the features that the back end offers; virtio's and {@link VhostFeature}} */
  public long getFeatures() {
    offered = exchange.number(GET_FEATURES);
    return offered;
  }

  /**
   * Says which features are used. Without PROTOCOL_FEATURES, all rings are enabled at once.
   *
   * @param features among those that {@link #getFeatures} returned
   */
  public void setFeatures(long features) {
    exchange.confirm(SET_FEATURES, new U64(features));
    acknowledged = features;
  }

  /** A session starts. */
  public void setOwner() {
    exchange.send(SET_OWNER, NoPayload.INSTANCE);
  }

  /** Deprecated in the protocol: what it does to rings differs between back ends. */
  public void resetOwner() {
    exchange.send(RESET_OWNER, NoPayload.INSTANCE);
  }

  /** {@return the protocol features that the back end offers} */
  public long getProtocolFeatures() {
    requireProtocolFeatures(GET_PROTOCOL_FEATURES, offered);
    return exchange.number(GET_PROTOCOL_FEATURES);
  }

  /**
   * Says which protocol features are used. From now on the channel accepts the requests that need
   * them.
   *
   * @param features among those that {@link #getProtocolFeatures} returned
   * @throws io.github.jvhost.VhostException (GIVE_UP) if a bit is masked in the channel's dialect,
   *     lacks the bits that it needs, or is XEN_MMAP, whose memory regions are not supported
   */
  public void setProtocolFeatures(long features) {
    requireProtocolFeatures(SET_PROTOCOL_FEATURES, offered);
    String wrong = FeatureRules.broken(features, channel().dialect());
    if (!wrong.isEmpty()) {
      throw exchange.unavailable(SET_PROTOCOL_FEATURES, wrong);
    }
    exchange.send(SET_PROTOCOL_FEATURES, new U64(features));
    channel().negotiated(features);
  }

  /** {@return how many queue pairs (network) or queues (all else) there can be} */
  public long getQueueNum() {
    return exchange.number(GET_QUEUE_NUM);
  }

  /** {@return how many memory regions there can be} */
  public long getMaxMemSlots() {
    return exchange.number(GET_MAX_MEM_SLOTS);
  }

  /**
   * Sends all of guest memory.
   *
   * @param regions at most 8
   * @param files one for each, in the same order
   */
  public void setMemTable(List<MemoryRegionPayload> regions, List<OwnedDescriptor> files) {
    exchange.confirm(SET_MEM_TABLE, new MemoryTablePayload(regions), files);
  }

  /**
   * Adds one memory region.
   *
   * @param region where it lies for the guest and in its file, and the label of ring addresses in
   *     it
   * @param file which the back end maps
   */
  public void addMemReg(MemoryRegionPayload region, OwnedDescriptor file) {
    exchange.confirm(ADD_MEM_REG, new SingleRegion(region), List.of(file));
  }

  /**
   * Removes one memory region.
   *
   * @param region the one with these addresses and this size; where it begins in its file does not
   *     matter
   */
  public void remMemReg(MemoryRegionPayload region) {
    exchange.confirm(REM_MEM_REG, new SingleRegion(region));
  }

  /**
   * Sets where dirty pages are logged. Refused without LOG_SHMFD, because such a log could not be
   * read.
   *
   * @param log which part of the file is the bitmap
   * @param file shared memory
   */
  public void setLogBase(LogRegion log, OwnedDescriptor file) {
    if (!exchange.has(ProtocolFeature.LOG_SHMFD)) {
      throw exchange.unavailable(SET_LOG_BASE, "protocol feature LOG_SHMFD is not negotiated");
    }
    exchange.ask(SET_LOG_BASE, log, List.of(file));
  }

  /**
   * Sets an eventfd that is signalled when the log changes.
   *
   * @param event signalled by the back end, read by the caller
   */
  public void setLogFd(OwnedDescriptor event) {
    exchange.send(SET_LOG_FD, NoPayload.INSTANCE, List.of(event));
  }

  /**
   * Sets how many entries a ring has.
   *
   * @param ring vring index, 0 to 255
   * @param size entries, 1 to 32768
   */
  public void setVringNum(int ring, int size) {
    exchange.confirm(SET_VRING_NUM, new VringState(ring, size));
  }

  /**
   * Sets where a ring is.
   *
   * @param address for one ring, with user addresses as the memory table gives them
   */
  public void setVringAddr(VringAddress address) {
    exchange.confirm(SET_VRING_ADDR, address);
  }

  /**
   * Sets where a ring goes on.
   *
   * @param ring vring index, 0 to 255
   * @param base in the encoding of {@link VringState}
   */
  public void setVringBase(int ring, int base) {
    exchange.confirm(SET_VRING_BASE, new VringState(ring, base));
  }

  /**
   * Stops a ring.
   *
   * @param ring vring index, 0 to 255
   * @return where it was, in the encoding of {@link VringState}
   */
  public int getVringBase(int ring) {
    return exchange.stop(GET_VRING_BASE, ring);
  }

  /**
   * Stops a ring without waiting for what is in flight, which stays in the in-flight region.
   *
   * @param ring vring index, 0 to 255
   * @return where it was, in the encoding of {@link VringState}
   */
  public int getVringBaseSkipDrain(int ring) {
    return exchange.stop(GET_VRING_BASE_SKIP_DRAIN, ring);
  }

  /**
   * Sets the kick of a ring.
   *
   * @param ring vring index, 0 to 255
   * @param event an eventfd; null: the ring is polled
   */
  public void setVringKick(int ring, @Nullable OwnedDescriptor event) {
    exchange.setEvent(SET_VRING_KICK, ring, event);
  }

  /**
   * Sets the call of a ring.
   *
   * @param ring vring index, 0 to 255
   * @param event an eventfd; null: it is not notified
   */
  public void setVringCall(int ring, @Nullable OwnedDescriptor event) {
    exchange.setEvent(SET_VRING_CALL, ring, event);
  }

  /**
   * Sets the err of a ring.
   *
   * @param ring vring index, 0 to 255
   * @param event an eventfd; null: errors are not signalled
   */
  public void setVringErr(int ring, @Nullable OwnedDescriptor event) {
    exchange.setEvent(SET_VRING_ERR, ring, event);
  }

  /**
   * Enables or disables a ring.
   *
   * @param ring vring index, 0 to 255
   * @param enabled whether the queue is in use
   */
  public void setVringEnable(int ring, boolean enabled) {
    requireProtocolFeatures(SET_VRING_ENABLE, acknowledged);
    exchange.confirm(SET_VRING_ENABLE, new VringState(ring, enabled ? 1 : 0));
  }

  /**
   * Sets the byte order of a legacy device's ring.
   *
   * @param ring vring index, 0 to 255
   * @param bigEndian otherwise it is little-endian
   */
  public void setVringEndian(int ring, boolean bigEndian) {
    exchange.confirm(SET_VRING_ENDIAN, new VringState(ring, bigEndian ? 1 : 0));
  }

  /**
   * Kicks a ring by a message.
   *
   * @param ring vring index, 0 to 255
   */
  public void vringKick(int ring) {
    exchange.send(VRING_KICK, new VringState(ring, 0));
  }

  /**
   * Asks the back end to announce the guest's MAC address.
   *
   * @param mac six bytes, in wire order
   */
  public void sendRarp(byte[] mac) {
    exchange.send(SEND_RARP, U64.ofMac(mac));
  }

  /**
   * Sets the guest's MTU.
   *
   * @param mtu in bytes
   */
  public void setMtu(int mtu) {
    exchange.confirm(NET_SET_MTU, new U64(mtu));
  }

  /**
   * Sends the socket of the back end's own channel. The channel's other end should be served
   * already, because a back end may send a request there before it answers this.
   *
   * @param socket the back end's end of the channel, connected
   */
  public void setBackendReqFd(OwnedDescriptor socket) {
    exchange.confirm(SET_BACKEND_REQ_FD, NoPayload.INSTANCE, List.of(socket));
  }

  /**
   * Sends or withdraws a translation.
   *
   * <p>Where GPA_ADDRESSES was negotiated, the message has a guest-physical address in the place of
   * the user address (vhost-user, "An IOTLB message").
   *
   * @param message an {@link Iotlb#UPDATE} or an {@link Iotlb#INVALIDATE}
   */
  public void iotlb(Iotlb message) {
    exchange.confirm(IOTLB_MSG, message);
  }

  /**
   * Reads a piece of the configuration space, which has at most 256 bytes.
   *
   * @param offset where the piece begins, in bytes
   * @param size of the piece, in bytes
   * @return this many bytes
   */
  public byte[] getConfig(int offset, int size) {
    var piece = new ConfigSpace(offset, ConfigSpace.DRIVER_WRITABLE, Bytes.zeros(size));
    if (!(exchange.ask(GET_CONFIG, piece) instanceof ConfigSpace answer)) {
      throw exchange.refused(GET_CONFIG, NoPayload.INSTANCE, "nothing, which means a failure");
    }
    if (answer.offset() != offset || answer.content().size() != size) {
      throw exchange.senseless(
          GET_CONFIG,
          "asked for %d bytes at offset %d, answered %d at offset %d"
              .formatted(size, offset, answer.content().size(), answer.offset()));
    }
    return answer.content().toArray();
  }

  /**
   * Writes a piece of the configuration space.
   *
   * @param offset where the piece begins, in bytes
   * @param bytes the piece; it ends at 256 or before
   * @param flags {@link ConfigSpace#DRIVER_WRITABLE} or {@link ConfigSpace#LIVE_MIGRATION}
   */
  public void setConfig(int offset, byte[] bytes, int flags) {
    exchange.confirm(SET_CONFIG, new ConfigSpace(offset, flags, Bytes.copyOf(bytes)));
  }

  /**
   * Says that postcopy may come. Like everything of postcopy, it is refused and not sent if
   * CONFIGURE_MEM_SLOTS was negotiated, because the protocol forbids that (vhost-user,
   * "Migration").
   *
   * @return a userfaultfd of the back end's address space
   */
  public OwnedDescriptor postcopyAdvise() {
    return exchange.descriptor(
        exchange.reply(POSTCOPY_ADVISE, NoPayload.INSTANCE, List.of()), "a userfaultfd");
  }

  /**
   * Sends all of guest memory during postcopy. The same regions come back, with the user addresses
   * at which the back end has mapped them. Then the back end waits for {@link #postcopyGoAhead}.
   *
   * @param regions 1 to 8
   * @param files one for each, in the same order
   * @return the regions as they came back; they are not compared with those that were sent
   */
  public List<MemoryRegionPayload> setMemTableInPostcopy(
      List<MemoryRegionPayload> regions, List<OwnedDescriptor> files) {
    var table = new MemoryTablePayload(regions);
    return ((MemoryTablePayload) exchange.ask(SET_MEM_TABLE, table, files)).regions();
  }

  /** Says that the back end may touch its memory, because its page faults are served now. */
  public void postcopyGoAhead() {
    exchange.send(SET_MEM_TABLE, new MemoryTablePayload(List.of()));
  }

  /**
   * Begins postcopy. Always acknowledged, so REPLY_ACK has to be negotiated; not with
   * CONFIGURE_MEM_SLOTS.
   */
  public void postcopyListen() {
    exchange.insist(POSTCOPY_LISTEN, NoPayload.INSTANCE, List.of());
    channel().postcopyListening(true);
  }

  /** Ends postcopy. Not with CONFIGURE_MEM_SLOTS. */
  public void postcopyEnd() {
    long answer = exchange.number(POSTCOPY_END);
    channel().postcopyListening(false);
    requireZero(POSTCOPY_END, answer);
  }

  /**
   * Asks the back end to make a region for requests in flight.
   *
   * @param queues how many rings it is for, 0 to 65535
   * @param queueSize entries of the largest of them, 0 to 65535
   * @return the region, or that there is nothing to share
   */
  public InflightAnswer getInflightFd(int queues, int queueSize) {
    var wanted = new Inflight(0, 0, queues, queueSize);
    Reply reply = exchange.reply(GET_INFLIGHT_FD, wanted, List.of());
    Inflight layout = (Inflight) reply.payload();
    if (layout.mmapSize() == 0) {
      reply.descriptors().forEach(OwnedDescriptor::close);
      return new InflightAnswer(layout, null);
    }
    return new InflightAnswer(layout, exchange.descriptor(reply, "a region"));
  }

  /**
   * Sends a back end the region that it, or an earlier back end, has made.
   *
   * @param layout as the back end answered it
   * @param region its file
   */
  public void setInflightFd(Inflight layout, OwnedDescriptor region) {
    exchange.confirm(SET_INFLIGHT_FD, layout, List.of(region));
  }

  /** Resets everything to its initial state; the session goes on. */
  public void resetDevice() {
    exchange.confirm(RESET_DEVICE, NoPayload.INSTANCE);
  }

  /**
   * Sets the virtio status byte.
   *
   * @param status 0 to 255
   */
  public void setStatus(int status) {
    exchange.confirm(SET_STATUS, new U64(status));
  }

  /** {@return the virtio status byte, 0 to 255} */
  public int getStatus() {
    long status = exchange.number(GET_STATUS);
    if (status < 0 || status > 0xFF) {
      throw exchange.senseless(GET_STATUS, "status 0x" + Long.toHexString(status));
    }
    return (int) status;
  }

  /**
   * {@return an object of another device; null if the back end does not have it}
   *
   * @param object which one
   */
  public @Nullable OwnedDescriptor getSharedObject(SharedObject object) {
    Reply reply = exchange.reply(GET_SHARED_OBJECT, object, List.of());
    return reply.descriptors().isEmpty() ? null : reply.descriptors().getFirst();
  }

  /**
   * Asks the back end to move its own state through a pipe. {@link BackEndStateTransfer} does the
   * whole transfer. All rings must be stopped.
   *
   * @param transfer which way it moves
   * @param theirs the end that the back end writes (save) or reads (load)
   * @return the back end's own descriptor, which replaces the front end's end of the pipe; empty:
   *     that end is used
   */
  public Optional<OwnedDescriptor> setDeviceStateFd(
      DeviceStateTransfer transfer, OwnedDescriptor theirs) {
    Reply reply = exchange.reply(SET_DEVICE_STATE_FD, transfer, List.of(theirs));
    long answer = RequestExchange.value(reply.payload());
    boolean none = (answer & DeviceStateTransfer.NO_DESCRIPTOR) != 0;
    if ((answer & DeviceStateTransfer.ERROR_MASK) != 0 || none != reply.descriptors().isEmpty()) {
      reply.descriptors().forEach(OwnedDescriptor::close);
      requireZero(SET_DEVICE_STATE_FD, answer & DeviceStateTransfer.ERROR_MASK);
      throw exchange.senseless(
          SET_DEVICE_STATE_FD,
          none ? "a descriptor, and an answer that there is none" : "the descriptor is missing");
    }
    return reply.descriptors().stream().findFirst();
  }

  /** Makes sure that the whole state has arrived. */
  public void checkDeviceState() {
    requireZero(CHECK_DEVICE_STATE, exchange.number(CHECK_DEVICE_STATE));
  }

  /** {@return the sizes of the shared memory regions} */
  public ShmemConfig getShmemConfig() {
    return (ShmemConfig) exchange.ask(GET_SHMEM_CONFIG, NoPayload.INSTANCE);
  }

  /**
   * Begins or ends explicit presetup.
   *
   * @param start whether it begins
   */
  public void presetup(boolean start) {
    exchange.send(PRESETUP, new U64(start ? PresetupCode.START : PresetupCode.END));
  }

  private void requireZero(FrontEndRequest request, long answer) {
    exchange.requireZero(request, NoPayload.INSTANCE, answer);
  }

  private void requireProtocolFeatures(FrontEndRequest request, long features) {
    if ((features & VhostFeature.PROTOCOL_FEATURES) == 0) {
      throw exchange.unavailable(request, "feature PROTOCOL_FEATURES (bit 30) is not negotiated");
    }
  }
}
