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
 * Everything that a front end can ask, as a table: number, layout, descriptors, answer, and the
 * protocol features without which it must not be sent (specification, "Front-end message types").
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
  /** Which virtio and vhost features there are; every back end answers, so it is a barrier too. */
  GET_FEATURES(1, QUESTION, PayloadKind.NONE, 0, 0, always(PayloadKind.U64), 0),
  /** Which of them are used. */
  SET_FEATURES(2, SETTING, PayloadKind.U64, 0, 0, ifAsked(), 0),
  /** A session starts. */
  SET_OWNER(3, SETTING, PayloadKind.NONE, 0, 0, ifAsked(), 0),
  /** Deprecated; not to be sent. */
  RESET_OWNER(4, STOP, PayloadKind.NONE, 0, 0, ifAsked(), 0),
  /** All of guest memory, a descriptor per region. */
  SET_MEM_TABLE(5, MEMORY, PayloadKind.MEMORY_TABLE, 0, 8, ifAsked(), 0),
  /** Where dirty pages are logged; see {@link #explicitReply}. */
  SET_LOG_BASE(6, MEMORY, PayloadKind.LOG, 0, 1, ifAsked(), 0),
  /** An eventfd for log changes. */
  SET_LOG_FD(7, SETTING, PayloadKind.NONE, 1, 1, ifAsked(), 0),
  /** How many entries a ring has. */
  SET_VRING_NUM(8, SETTING, PayloadKind.VRING_STATE, 0, 0, ifAsked(), 0),
  /** Where a ring is. */
  SET_VRING_ADDR(9, SETTING, PayloadKind.VRING_ADDRESS, 0, 0, ifAsked(), 0),
  /** Where a ring goes on. */
  SET_VRING_BASE(10, SETTING, PayloadKind.VRING_STATE, 0, 0, ifAsked(), 0),
  /** Stops a ring and tells where it was. */
  GET_VRING_BASE(11, STOP, PayloadKind.VRING_STATE, 0, 0, always(PayloadKind.VRING_STATE), 0),
  /** How the guest's kicks arrive; starts the ring on some back ends. */
  SET_VRING_KICK(12, START, PayloadKind.VRING_DESCRIPTOR, 0, 1, ifAsked(), 0),
  /** How the guest is notified. */
  SET_VRING_CALL(13, START, PayloadKind.VRING_DESCRIPTOR, 0, 1, ifAsked(), 0),
  /** How errors of a ring are told. */
  SET_VRING_ERR(14, SETTING, PayloadKind.VRING_DESCRIPTOR, 0, 1, ifAsked(), 0),
  /** Which protocol features there are. */
  GET_PROTOCOL_FEATURES(15, QUESTION, PayloadKind.NONE, 0, 0, always(PayloadKind.U64), 0),
  /** Which of them are used. */
  SET_PROTOCOL_FEATURES(16, SETTING, PayloadKind.U64, 0, 0, ifAsked(), 0),
  /** How many queue pairs there can be. */
  GET_QUEUE_NUM(
      17, QUESTION, PayloadKind.NONE, 0, 0, always(PayloadKind.U64), 0, ProtocolFeature.MQ),
  /** Enables or disables a ring. */
  SET_VRING_ENABLE(18, START, PayloadKind.VRING_STATE, 0, 0, ifAsked(), 0),
  /** Announce the guest's MAC address. */
  SEND_RARP(19, SETTING, PayloadKind.U64, 0, 0, ifAsked(), 0, ProtocolFeature.RARP),
  /** The guest's MTU. */
  NET_SET_MTU(20, SETTING, PayloadKind.U64, 0, 0, ifAsked(), 0, ProtocolFeature.MTU),
  /** The socket on which the back end asks. */
  SET_BACKEND_REQ_FD(
      21, SETTING, PayloadKind.NONE, 1, 1, ifAsked(), 0, ProtocolFeature.BACKEND_REQ),
  /** A translation; also needs {@link VhostFeature#IOMMU_PLATFORM}. */
  IOTLB_MSG(
      22,
      SETTING,
      PayloadKind.IOTLB,
      0,
      0,
      always(PayloadKind.U64),
      0,
      ProtocolFeature.BACKEND_REQ,
      ProtocolFeature.REPLY_ACK),
  /** Byte order of a legacy ring. */
  SET_VRING_ENDIAN(
      23, SETTING, PayloadKind.VRING_STATE, 0, 0, ifAsked(), 0, ProtocolFeature.CROSS_ENDIAN),
  /** Read configuration space. */
  GET_CONFIG(
      24,
      QUESTION,
      PayloadKind.CONFIG,
      0,
      0,
      always(PayloadKind.CONFIG),
      0,
      ProtocolFeature.CONFIG),
  /** Write configuration space. */
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
  /** Closes one. */
  CLOSE_CRYPTO_SESSION(
      27, SETTING, PayloadKind.U64, 0, 0, ifAsked(), 0, ProtocolFeature.CRYPTO_SESSION),
  /** Postcopy may come; a userfaultfd comes back. */
  POSTCOPY_ADVISE(
      28, SETTING, PayloadKind.NONE, 0, 0, always(PayloadKind.NONE), 1, ProtocolFeature.PAGEFAULT),
  /** Postcopy begins. */
  POSTCOPY_LISTEN(29, SETTING, PayloadKind.NONE, 0, 0, ifAsked(), 0, ProtocolFeature.PAGEFAULT),
  /** Postcopy is over. */
  POSTCOPY_END(
      30, TRANSFER, PayloadKind.NONE, 0, 0, always(PayloadKind.U64), 0, ProtocolFeature.PAGEFAULT),
  /** The back end makes an in-flight region. */
  GET_INFLIGHT_FD(
      31,
      MEMORY,
      PayloadKind.INFLIGHT,
      0,
      0,
      always(PayloadKind.INFLIGHT),
      1,
      ProtocolFeature.INFLIGHT_SHMFD),
  /** The front end gives it back. */
  SET_INFLIGHT_FD(
      32, MEMORY, PayloadKind.INFLIGHT, 1, 1, ifAsked(), 0, ProtocolFeature.INFLIGHT_SHMFD),
  /** For vhost-user-gpu. */
  GPU_SET_SOCKET(33, SETTING, PayloadKind.NONE, 1, 1, ifAsked(), 0),
  /** Everything to its initial state. */
  RESET_DEVICE(34, STOP, PayloadKind.NONE, 0, 0, ifAsked(), 0, ProtocolFeature.RESET_DEVICE),
  /** A kick as a message. */
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
  /** How many memory regions there can be. */
  GET_MAX_MEM_SLOTS(
      36,
      QUESTION,
      PayloadKind.NONE,
      0,
      0,
      always(PayloadKind.U64),
      0,
      ProtocolFeature.CONFIGURE_MEM_SLOTS),
  /** One memory region more. */
  ADD_MEM_REG(
      37,
      MEMORY,
      PayloadKind.SINGLE_REGION,
      1,
      1,
      ifAsked(),
      0,
      ProtocolFeature.CONFIGURE_MEM_SLOTS),
  /** One memory region less. */
  REM_MEM_REG(
      38,
      MEMORY,
      PayloadKind.SINGLE_REGION,
      0,
      0,
      ifAsked(),
      0,
      ProtocolFeature.CONFIGURE_MEM_SLOTS),
  /** The virtio status byte. */
  SET_STATUS(39, START, PayloadKind.U64, 0, 0, ifAsked(), 0, ProtocolFeature.STATUS),
  /** The virtio status byte, read. */
  GET_STATUS(
      40, QUESTION, PayloadKind.NONE, 0, 0, always(PayloadKind.U64), 0, ProtocolFeature.STATUS),
  /** Ask for an object; the layout of the answer is not defined. */
  GET_SHARED_OBJECT(
      41,
      QUESTION,
      PayloadKind.SHARED_OBJECT,
      0,
      0,
      always(PayloadKind.IGNORED),
      1,
      ProtocolFeature.SHARED_OBJECT),
  /** A pipe for the back end's own state. */
  SET_DEVICE_STATE_FD(
      42,
      TRANSFER,
      PayloadKind.DEVICE_STATE,
      1,
      1,
      always(PayloadKind.U64),
      1,
      ProtocolFeature.DEVICE_STATE),
  /** Whether that went well. */
  CHECK_DEVICE_STATE(
      43,
      TRANSFER,
      PayloadKind.NONE,
      0,
      0,
      always(PayloadKind.U64),
      0,
      ProtocolFeature.DEVICE_STATE),
  /** Sizes of shared memory regions. */
  GET_SHMEM_CONFIG(
      44,
      QUESTION,
      PayloadKind.NONE,
      0,
      0,
      always(PayloadKind.SHMEM_CONFIG),
      0,
      ProtocolFeature.SHMEM),
  /** Stops a ring at once: requests in flight are suspended, and not waited for. */
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
   * Early configuration begins (1) or ends (2). Its number and feature bit come from a {@link
   * Dialect} only.
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

  /** {@return the number upstream; empty for PRESETUP, which has none} */
  public OptionalInt fixedId() {
    return fixedId;
  }

  /** {@return the layout that is sent} */
  public PayloadKind payload() {
    return payload;
  }

  /**
   * {@return the layout that always comes back with these protocol features; empty: at most an
   * acknowledgement}
   *
   * @param protocolFeatures those that are negotiated, as bits
   */
  public Optional<PayloadKind> explicitReply(long protocolFeatures) {
    if (this == SET_LOG_BASE && ProtocolFeature.LOG_SHMFD.isIn(protocolFeatures)) {
      // Answered whether asked or not, with a payload whose size differs between back ends.
      return IGNORED;
    }
    return explicitReply;
  }

  /**
   * {@return the layout in which one message is answered; empty: not at all}
   *
   * <p>While postcopy is on, a memory table comes back with the back end's addresses for ours; the
   * go-ahead behind it, eight zero bytes, is the table without regions and is not answered.
   *
   * @param message what is sent
   * @param protocolFeatures those that are negotiated
   * @param postcopy between POSTCOPY_LISTEN and POSTCOPY_END
   * @param needReply whether an acknowledgement is asked for
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

  /** {@return how much work its answer may stand for} */
  public MessageClass messageClass() {
    return messageClass;
  }

  /**
   * {@return the feature bits, of those in {@link VhostFeature}, that must be acknowledged besides
   * the protocol features; 0 for most}
   */
  public long featureMask() {
    return this == IOTLB_MSG ? VhostFeature.IOMMU_PLATFORM : 0;
  }

  /** {@return how many descriptors the answer may carry at most, 0 or 1} */
  public int maxReplyDescriptors() {
    return maxReplyDescriptors;
  }

  /** {@return how many descriptors must travel with the request at least} */
  public int minDescriptors() {
    return minDescriptors;
  }

  /** {@return how many descriptors may travel with the request at most} */
  public int maxDescriptors() {
    return maxDescriptors;
  }

  /**
   * {@return the protocol features that must all be negotiated, as bits; 0 for PRESETUP, whose
   * {@link Dialect} knows it}
   */
  public long gateMask() {
    return gate;
  }

  /**
   * Refuses a message that the specification does not have: wrong layout, a number that must be
   * another, or descriptors that do not match what the payload announces.
   *
   * @param message what is to be sent
   * @param descriptors how many go with it
   * @throws IllegalArgumentException naming what does not fit
   */
  public void requireWellFormed(Payload message, int descriptors) {
    if (message.kind() != payload) {
      throw new IllegalArgumentException(this + " carries " + payload + ", not " + message.kind());
    }
    MessageRules.requireWellFormed(this, message, descriptors);
  }

  /**
   * Refuses an answer whose parts contradict each other.
   *
   * @param answer decoded in the layout of {@link #answerTo}
   * @param descriptors how many came with it
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
