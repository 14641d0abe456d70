package io.github.jvhost.protocol;

import static io.github.jvhost.protocol.MessageClass.MEMORY;
import static io.github.jvhost.protocol.MessageClass.QUESTION;
import static io.github.jvhost.protocol.MessageClass.SETTING;
import static io.github.jvhost.protocol.MessageClass.START;
import static io.github.jvhost.protocol.MessageClass.STOP;
import static io.github.jvhost.protocol.MessageClass.TRANSFER;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * All requests that a front end can send, as a table: number, layout, descriptors, answer, and the
 * protocol features that the request needs (specification, "Front-end message types").
 *
 * <pre>
 *   answer                     when
 *   explicit (a layout)        always; NEED_REPLY changes nothing
 *   acknowledgement (u64)      only with NEED_REPLY, and that only with REPLY_ACK
 * </pre>
 *
 * <p>From POSTCOPY_LISTEN to POSTCOPY_END, SET_MEM_TABLE and ADD_MEM_REG have explicit answers too:
 * see {@link #answerTo}.
 */
public enum FrontEndRequest {
  /** Asks for the virtio and vhost features. Every back end answers, so it is also a barrier. */
  GET_FEATURES(1, QUESTION, PayloadKind.NONE, 0, 0, always(PayloadKind.U64), 0),
  /** Acknowledges the virtio and vhost features that are used. */
  SET_FEATURES(2, SETTING, PayloadKind.U64, 0, 0, ifAsked(), 0),
  /** Starts a session. */
  SET_OWNER(3, SETTING, PayloadKind.NONE, 0, 0, ifAsked(), 0),
  /** Deprecated; not to be sent. */
  RESET_OWNER(4, STOP, PayloadKind.NONE, 0, 0, ifAsked(), 0),
  /** Sends all of guest memory, with one descriptor per region. */
  SET_MEM_TABLE(5, MEMORY, PayloadKind.MEMORY_TABLE, 0, 8, ifAsked(), 0),
  /** Sends the dirty log; see {@link #explicitReply}. */
  SET_LOG_BASE(6, MEMORY, PayloadKind.LOG, 0, 1, ifAsked(), 0),
  /** Sends an eventfd for log changes. */
  SET_LOG_FD(7, SETTING, PayloadKind.NONE, 1, 1, ifAsked(), 0),
  /** Sets the size of a ring, in entries. */
  SET_VRING_NUM(8, SETTING, PayloadKind.VRING_STATE, 0, 0, ifAsked(), 0),
  /** Sets the addresses of a ring. */
  SET_VRING_ADDR(9, SETTING, PayloadKind.VRING_ADDRESS, 0, 0, ifAsked(), 0),
  /** Sets the base of a ring. */
  SET_VRING_BASE(10, SETTING, PayloadKind.VRING_STATE, 0, 0, ifAsked(), 0),
  /** Stops a ring and asks for its base. */
  GET_VRING_BASE(11, STOP, PayloadKind.VRING_STATE, 0, 0, always(PayloadKind.VRING_STATE), 0),
  /** Sends the kick eventfd of a ring. On some back ends it starts the ring. */
  SET_VRING_KICK(12, START, PayloadKind.VRING_DESCRIPTOR, 0, 1, ifAsked(), 0),
  /** Sends the call eventfd of a ring. */
  SET_VRING_CALL(13, START, PayloadKind.VRING_DESCRIPTOR, 0, 1, ifAsked(), 0),
  /** Sends the err eventfd of a ring. */
  SET_VRING_ERR(14, SETTING, PayloadKind.VRING_DESCRIPTOR, 0, 1, ifAsked(), 0),
  /** Asks for the protocol features. */
  GET_PROTOCOL_FEATURES(15, QUESTION, PayloadKind.NONE, 0, 0, always(PayloadKind.U64), 0),
  /** Acknowledges the protocol features that are used. */
  SET_PROTOCOL_FEATURES(16, SETTING, PayloadKind.U64, 0, 0, ifAsked(), 0),
  /** Asks for the largest number of queue pairs. */
  GET_QUEUE_NUM(
      17, QUESTION, PayloadKind.NONE, 0, 0, always(PayloadKind.U64), 0, ProtocolFeature.MQ),
  /** Enables or disables a ring. */
  SET_VRING_ENABLE(18, START, PayloadKind.VRING_STATE, 0, 0, ifAsked(), 0),
  /** Asks the back end to announce the guest's MAC address. */
  SEND_RARP(19, SETTING, PayloadKind.U64, 0, 0, ifAsked(), 0, ProtocolFeature.RARP),
  /** Sets the guest's MTU. */
  NET_SET_MTU(20, SETTING, PayloadKind.U64, 0, 0, ifAsked(), 0, ProtocolFeature.MTU),
  /** Sends the socket for the back end's own requests. */
  SET_BACKEND_REQ_FD(
      21, SETTING, PayloadKind.NONE, 1, 1, ifAsked(), 0, ProtocolFeature.BACKEND_REQ),
  /**
   * Sends or removes a translation; also needs {@link VhostFeature#IOMMU_PLATFORM}. By the
   * specification a back end always answers it. DPDK answers it only if it is asked to.
   */
  IOTLB_MSG(
      22,
      SETTING,
      PayloadKind.IOTLB,
      0,
      0,
      ifAsked(),
      0,
      ProtocolFeature.BACKEND_REQ,
      ProtocolFeature.REPLY_ACK),
  /** Sets the byte order of a legacy ring. */
  SET_VRING_ENDIAN(
      23, SETTING, PayloadKind.VRING_STATE, 0, 0, ifAsked(), 0, ProtocolFeature.CROSS_ENDIAN),
  /** Reads the configuration space. */
  GET_CONFIG(
      24,
      QUESTION,
      PayloadKind.CONFIG,
      0,
      0,
      always(PayloadKind.CONFIG),
      0,
      ProtocolFeature.CONFIG),
  /** Writes the configuration space. */
  SET_CONFIG(25, SETTING, PayloadKind.CONFIG, 0, 0, ifAsked(), 0, ProtocolFeature.CONFIG),
  /** Opens a crypto session. */
  CREATE_CRYPTO_SESSION(
      26,
      SETTING,
      PayloadKind.OPAQUE,
      0,
      0,
      always(PayloadKind.OPAQUE),
      0,
      ProtocolFeature.CRYPTO_SESSION),
  /** Closes a crypto session. */
  CLOSE_CRYPTO_SESSION(
      27, SETTING, PayloadKind.U64, 0, 0, ifAsked(), 0, ProtocolFeature.CRYPTO_SESSION),
  /** Announces that postcopy may follow. The answer has a userfaultfd. */
  POSTCOPY_ADVISE(
      28, SETTING, PayloadKind.NONE, 0, 0, always(PayloadKind.NONE), 1, ProtocolFeature.PAGEFAULT),
  /** Begins postcopy. */
  POSTCOPY_LISTEN(29, SETTING, PayloadKind.NONE, 0, 0, ifAsked(), 0, ProtocolFeature.PAGEFAULT),
  /** Ends postcopy. */
  POSTCOPY_END(
      30, TRANSFER, PayloadKind.NONE, 0, 0, always(PayloadKind.U64), 0, ProtocolFeature.PAGEFAULT),
  /** Asks the back end to make an in-flight region. */
  GET_INFLIGHT_FD(
      31,
      MEMORY,
      PayloadKind.INFLIGHT,
      0,
      0,
      always(PayloadKind.INFLIGHT),
      1,
      ProtocolFeature.INFLIGHT_SHMFD),
  /** Gives the in-flight region to the back end. */
  SET_INFLIGHT_FD(
      32, MEMORY, PayloadKind.INFLIGHT, 1, 1, ifAsked(), 0, ProtocolFeature.INFLIGHT_SHMFD),
  /** Sends a socket for vhost-user-gpu. */
  GPU_SET_SOCKET(33, SETTING, PayloadKind.NONE, 1, 1, ifAsked(), 0),
  /** Resets the device to its initial state. */
  RESET_DEVICE(34, STOP, PayloadKind.NONE, 0, 0, ifAsked(), 0, ProtocolFeature.RESET_DEVICE),
  /** Sends a kick as a message. */
  VRING_KICK(
      35,
      SETTING,
      PayloadKind.VRING_STATE,
      0,
      0,
      ifAsked(),
      0,
      ProtocolFeature.INBAND_NOTIFICATIONS,
      ProtocolFeature.BACKEND_REQ,
      ProtocolFeature.REPLY_ACK),
  /** Asks for the largest number of memory regions. */
  GET_MAX_MEM_SLOTS(
      36,
      QUESTION,
      PayloadKind.NONE,
      0,
      0,
      always(PayloadKind.U64),
      0,
      ProtocolFeature.CONFIGURE_MEM_SLOTS),
  /** Adds a memory region. */
  ADD_MEM_REG(
      37,
      MEMORY,
      PayloadKind.SINGLE_REGION,
      1,
      1,
      ifAsked(),
      0,
      ProtocolFeature.CONFIGURE_MEM_SLOTS),
  /** Removes a memory region. */
  REM_MEM_REG(
      38,
      MEMORY,
      PayloadKind.SINGLE_REGION,
      0,
      0,
      ifAsked(),
      0,
      ProtocolFeature.CONFIGURE_MEM_SLOTS),
  /** Sets the virtio status byte. */
  SET_STATUS(39, START, PayloadKind.U64, 0, 0, ifAsked(), 0, ProtocolFeature.STATUS),
  /** Asks for the virtio status byte. */
  GET_STATUS(
      40, QUESTION, PayloadKind.NONE, 0, 0, always(PayloadKind.U64), 0, ProtocolFeature.STATUS),
  /** Asks for an object. The specification does not define the layout of the answer. */
  GET_SHARED_OBJECT(
      41,
      QUESTION,
      PayloadKind.SHARED_OBJECT,
      0,
      0,
      always(PayloadKind.IGNORED),
      1,
      ProtocolFeature.SHARED_OBJECT),
  /** Sends a pipe for the back end's own state. */
  SET_DEVICE_STATE_FD(
      42,
      TRANSFER,
      PayloadKind.DEVICE_STATE,
      1,
      1,
      always(PayloadKind.U64),
      1,
      ProtocolFeature.DEVICE_STATE),
  /** Asks whether the transfer of that state succeeded. */
  CHECK_DEVICE_STATE(
      43,
      TRANSFER,
      PayloadKind.NONE,
      0,
      0,
      always(PayloadKind.U64),
      0,
      ProtocolFeature.DEVICE_STATE),
  /** Asks for the sizes of the shared memory regions. */
  GET_SHMEM_CONFIG(
      44,
      QUESTION,
      PayloadKind.NONE,
      0,
      0,
      always(PayloadKind.SHMEM_CONFIG),
      0,
      ProtocolFeature.SHMEM),
  /**
   * Stops a ring at once. The back end suspends the requests in flight and does not wait for them.
   */
  GET_VRING_BASE_SKIP_DRAIN(
      45,
      STOP,
      PayloadKind.VRING_STATE,
      0,
      0,
      always(PayloadKind.VRING_STATE),
      0,
      ProtocolFeature.GET_VRING_BASE_SKIP_DRAIN,
      ProtocolFeature.GET_VRING_BASE_INFLIGHT,
      ProtocolFeature.INFLIGHT_SHMFD),
  /**
   * Begins (1) or ends (2) a presetup. Only a {@link Dialect} has its number and its feature bit.
   */
  PRESETUP(-1, START, PayloadKind.U64, 0, 0, ifAsked(), 0);

  private static final FrontEndRequest[] BY_ID = new FrontEndRequest[46];
  private static final Optional<PayloadKind> IGNORED = Optional.of(PayloadKind.IGNORED);
  private static final Optional<PayloadKind> ACKNOWLEDGEMENT = Optional.of(PayloadKind.U64);

  static {
    for (FrontEndRequest request : values()) {
      if (request.fixedId.isPresent()) {
        BY_ID[request.fixedId.getAsInt()] = request;
      }
    }
  }

  private final OptionalInt fixedId;
  private final MessageClass messageClass;
  private final PayloadKind payload;
  private final int minDescriptors;
  private final int maxDescriptors;
  private final Optional<PayloadKind> explicitReply;
  private final int maxReplyDescriptors;
  private final long gate;

  FrontEndRequest(
      int id,
      MessageClass messageClass,
      PayloadKind payload,
      int minDescriptors,
      int maxDescriptors,
      Optional<PayloadKind> explicitReply,
      int maxReplyDescriptors,
      ProtocolFeature... gate) {
    this.fixedId = id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    this.messageClass = messageClass;
    this.payload = payload;
    this.minDescriptors = minDescriptors;
    this.maxDescriptors = maxDescriptors;
    this.explicitReply = explicitReply;
    this.maxReplyDescriptors = maxReplyDescriptors;
    this.gate = ProtocolFeature.maskOf(gate);
  }

  private static Optional<PayloadKind> always(PayloadKind layout) {
    return Optional.of(layout);
  }

  private static Optional<PayloadKind> ifAsked() {
    return Optional.empty();
  }

  /** {@return the upstream number; empty for PRESETUP, which has none} */
  public OptionalInt fixedId() {
    return fixedId;
  }

  /** {@return the layout of its payload} */
  public PayloadKind payload() {
    return payload;
  }

  /**
   * {@return the layout of the answer that every back end with these protocol features sends; empty
   * when the answer is at most an acknowledgement}
   *
   * @param protocolFeatures the negotiated ones, as bits
   */
  public Optional<PayloadKind> explicitReply(long protocolFeatures) {
    if (this == SET_LOG_BASE && ProtocolFeature.LOG_SHMFD.isIn(protocolFeatures)) {
      // Back ends always answer, with payloads of different sizes.
      return IGNORED;
    }
    return explicitReply;
  }

  /**
   * {@return the layout of the answer to one message; empty when it is not answered}
   *
   * <p>During postcopy, the back end answers a memory table with the same table, in which the user
   * addresses are its own. The front end then sends a table without regions (eight zero bytes),
   * which is not answered.
   *
   * @param message the payload that is sent
   * @param protocolFeatures the negotiated ones, as bits
   * @param postcopy whether the message is sent between POSTCOPY_LISTEN and POSTCOPY_END
   * @param needReply whether the message asks for an acknowledgement
   */
  public Optional<PayloadKind> answerTo(
      Payload message, long protocolFeatures, boolean postcopy, boolean needReply) {
    if (postcopy && this == SET_MEM_TABLE) {
      boolean goAhead = message.size() == MemoryTablePayload.EMPTY_SIZE;
      return goAhead ? Optional.empty() : Optional.of(PayloadKind.MEMORY_TABLE);
    }
    if (postcopy && this == ADD_MEM_REG) {
      return Optional.of(PayloadKind.SINGLE_REGION);
    }
    Optional<PayloadKind> explicit = explicitReply(protocolFeatures);
    return explicit.isEmpty() && needReply ? ACKNOWLEDGEMENT : explicit;
  }

  /** {@return how much work the back end may do before it answers} */
  public MessageClass messageClass() {
    return messageClass;
  }

  /**
   * {@return the bits of {@link VhostFeature} that must be acknowledged besides the protocol
   * features; 0 for most}
   */
  public long featureMask() {
    return this == IOTLB_MSG ? VhostFeature.IOMMU_PLATFORM : 0;
  }

  /** {@return the most descriptors that may be attached to the answer, 0 or 1} */
  public int maxReplyDescriptors() {
    return maxReplyDescriptors;
  }

  /** {@return the fewest descriptors that must be attached to the request} */
  public int minDescriptors() {
    return minDescriptors;
  }

  /** {@return the most descriptors that may be attached to the request} */
  public int maxDescriptors() {
    return maxDescriptors;
  }

  /**
   * {@return the protocol features that must all be negotiated, as bits; 0 for PRESETUP, whose bit
   * is in its {@link Dialect}}
   */
  public long gateMask() {
    return gate;
  }

  /**
   * Refuses a message that the specification does not allow: a wrong layout, a wrong number, or a
   * number of descriptors that does not match the payload.
   *
   * @param message the payload to send
   * @param descriptors how many are attached to it
   * @throws IllegalArgumentException naming what does not fit
   */
  public void requireWellFormed(Payload message, int descriptors) {
    if (message.kind() != payload) {
      throw new IllegalArgumentException(this + " carries " + payload + ", not " + message.kind());
    }
    MessageRules.requireWellFormed(this, message, descriptors);
  }

  /**
   * {@return whether descriptors may be attached to a message}
   *
   * @param message its payload
   */
  public boolean carriesDescriptors(Payload message) {
    return MessageRules.carriesDescriptors(this, message);
  }

  /**
   * Refuses an answer whose parts contradict each other.
   *
   * @param answer the answer, decoded in the layout of {@link #answerTo}
   * @param descriptors how many were received with it
   * @throws ProtocolException naming what does not fit
   */
  public void requireFittingAnswer(Payload answer, int descriptors) {
    MessageRules.requireFittingAnswer(this, answer, descriptors);
  }

  /** The request with an upstream number. */
  static Optional<FrontEndRequest> upstream(int id) {
    return id < 1 || id >= BY_ID.length ? Optional.empty() : Optional.of(BY_ID[id]);
  }
}
