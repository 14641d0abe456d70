package io.github.jvhost.testkit;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PresetupCode;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.RuleBreach.Rule;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntUnaryOperator;

/**
 * A back end without sockets, threads or memory. It holds what one front end has sent since it
 * connected, and computes what each further message causes in this {@link Personality}. Each
 * connection has a new object.
 *
 * <pre>
 *   request, payload, number of descriptors
 *        |
 *        v
 *   FrontEndRules (written down, never refused) -> the message's own effect -> which rings run now?
 *                                                                                    |
 *   Outcome: answer + effects (map, start, stop, configure ...)  &lt;--------------------+
 * </pre>
 *
 * <p>After each message it derives anew which rings run, so that the order in which conditions
 * become true does not matter. Used by one thread.
 */
public final class BackEndState {
  private final BackEndOffer offer;
  private final Personality personality;
  private final RingModel[] rings;
  private final RingSet ringSet;
  private final BackEndMemoryTable memory = new BackEndMemoryTable();
  private final BackEndTranslations translations;
  private final MemoryMessages memoryMessages = new MemoryMessages(this, memory);
  private final DeviceMessages deviceMessages;
  private final List<RuleBreach> breaches = new ArrayList<>();
  private final FrontEndRules rules = new FrontEndRules(this, breaches);
  private List<Effect> effects = new ArrayList<>();
  private long features;
  private long protocolFeatures;
  private int status;
  private int mtu;
  private boolean presetupRound;
  private boolean preset;
  private boolean memoryComplete = true;

  /**
   * Creates a back end that has received nothing and whose device is empty.
   *
   * @param offer what it has to offer, and its personality
   * @param usedIndexes how it looks into guest memory: the number of a ring, from 0, to the index
   *     in its used ring, 0 to 65535. It is asked only for rings that lie inside the memory table
   *     that was told
   */
  public BackEndState(BackEndOffer offer, IntUnaryOperator usedIndexes) {
    this(offer, new BackEndDevice(), usedIndexes);
  }

  /**
   * Creates a back end that has received nothing.
   *
   * @param offer what it has to offer, and its personality
   * @param device what its device holds besides rings; stays the caller's
   * @param usedIndexes how it looks into guest memory: the number of a ring, from 0, to the index
   *     in its used ring, 0 to 65535. It is asked only for rings that lie inside the memory table
   *     that was told
   */
  public BackEndState(BackEndOffer offer, BackEndDevice device, IntUnaryOperator usedIndexes) {
    this.offer = offer;
    this.deviceMessages = new DeviceMessages(this, device);
    this.personality = offer.personality();
    this.rings = new RingModel[offer.rings()];
    for (int i = 0; i < rings.length; i++) {
      rings[i] = new RingModel(i, offer.iotlb());
    }
    this.translations = new BackEndTranslations(this, rings, memory);
    this.ringSet = new RingSet(this, rings, memory, translations, usedIndexes);
  }

  /**
   * Takes one message.
   *
   * @param request the kind of message
   * @param payload decoded; the message is refused if this is not the request's layout
   * @param descriptors how many descriptors came along
   * @return the answer and everything that has to be done now; a refused message has no effects
   */
  public Outcome handle(FrontEndRequest request, Payload payload, int descriptors) {
    if (!understands(request)) {
      rules.breach(Rule.NOT_NEGOTIATED, request + ", which was not offered");
      return unknown("request " + request);
    }
    rules.check(request, payload);
    // The specification asks back ends to tolerate a descriptor that comes with REM_MEM_REG.
    int counted =
        request == FrontEndRequest.REM_MEM_REG ? Math.max(descriptors - 1, 0) : descriptors;
    long missing = offer.dialect().gateOf(request) & ~protocolFeatures;
    if (missing != 0) {
      rules.breach(Rule.NOT_NEGOTIATED, request + " without " + offer.dialect().describe(missing));
      return Outcome.failed(request + " was not negotiated");
    }
    try {
      request.requireWellFormed(withoutOldValue(request, payload), counted);
    } catch (IllegalArgumentException e) {
      return Outcome.failed(String.valueOf(e.getMessage()));
    }
    effects = new ArrayList<>();
    int statusBefore = status;
    Outcome outcome = take(request, payload);
    if (!outcome.tookEffect()) {
      return outcome.inAnswerTo(request);
    }
    ringSet.settle(request, (status & ~statusBefore & DeviceStatus.DRIVER_OK) != 0);
    return outcome.with(effects);
  }

  /**
   * The specification requires a zero in the second half of GET_VRING_BASE. DPDK's virtio-user
   * leaves an old value there, and back ends ignore it.
   */
  private static Payload withoutOldValue(FrontEndRequest request, Payload payload) {
    return request == FrontEndRequest.GET_VRING_BASE && payload instanceof VringState told
        ? new VringState(told.index(), 0)
        : payload;
  }

  /** Checks that REPLY_ACK was negotiated, now that a message asks for an acknowledgement. */
  void acknowledgementAskedFor(FrontEndRequest request) {
    if (!ProtocolFeature.REPLY_ACK.isIn(protocolFeatures)) {
      rules.breach(Rule.NOT_NEGOTIATED, "NEED_REPLY on " + request + " without REPLY_ACK");
    }
  }

  /**
   * Handles a message whose number is unknown.
   *
   * @param what its name in the reason: "request 77"
   * @return a failure, or a hang-up where the personality hangs up on unknown messages
   */
  Outcome unknown(String what) {
    String reason = what + " is not known here";
    return personality.hangsUpOnUnknown() ? Outcome.hungUp(reason) : Outcome.failed(reason);
  }

  /**
   * Sets whether guest memory holds what the rings need; true by default. Starting a ring while it
   * is false is a breach of the rules.
   *
   * @param complete whether it does
   */
  public void guestMemoryComplete(boolean complete) {
    memoryComplete = complete;
  }

  /** {@return what it offers, and its personality} */
  public BackEndOffer offer() {
    return offer;
  }

  /** {@return the features of the last SET_FEATURES; 0 before} */
  public long features() {
    return features;
  }

  /** {@return the protocol features of the last SET_PROTOCOL_FEATURES; 0 before} */
  public long protocolFeatures() {
    return protocolFeatures;
  }

  /** {@return the virtio status byte, 0 to 255} */
  public int status() {
    return status;
  }

  /** {@return the MTU that was sent, or 0 before} */
  public int mtu() {
    return mtu;
  }

  /** {@return the current memory regions} */
  public List<MemoryRegionPayload> memory() {
    return memory.regions();
  }

  /**
   * {@return the current state of one ring}
   *
   * @param number from 0 to below {@link BackEndOffer#rings()}
   */
  public RingView ring(int number) {
    return rings[number].view();
  }

  /**
   * {@return the translations that a ring has now, as they were told, the oldest first}
   *
   * @param ring its number, from 0 to below {@link BackEndOffer#rings()}
   */
  public List<Iotlb> translations(int ring) {
    return rings[ring].iotlb.entries();
  }

  /** {@return the front end's breaches of the rules, in order} */
  public List<RuleBreach> violations() {
    return List.copyOf(breaches);
  }

  /** {@return whether any ring is started now} */
  public boolean isAnyStarted() {
    return Arrays.stream(rings).anyMatch(ring -> ring.started);
  }

  /**
   * {@return whether the front end has set a ring to big-endian}
   *
   * @param ring its number, from 0
   */
  boolean isBigEndian(int ring) {
    return deviceMessages.isBigEndian(ring);
  }

  /**
   * Sets where a ring continues, as SET_VRING_BASE would, to the position in its in-flight region.
   */
  void recover(int ring, int base) {
    var _ = ringSet.takeNumber(FrontEndRequest.SET_VRING_BASE, rings[ring], base);
  }

  MemoryMessages.Postcopy postcopy() {
    return memoryMessages.postcopy();
  }

  RingSet ringSet() {
    return ringSet;
  }

  BackEndTranslations translations() {
    return translations;
  }

  boolean hasInBandNotifications() {
    return ProtocolFeature.INBAND_NOTIFICATIONS.isIn(protocolFeatures);
  }

  RingModel model(int number) {
    return rings[number];
  }

  boolean isStarted(int ring) {
    return ring >= 0 && ring < rings.length && rings[ring].started;
  }

  boolean isBetweenPresetupStartAndEnd() {
    return presetupRound;
  }

  /** Returns true if presetup has begun and the device has not been started since. */
  boolean isPreset() {
    return presetupRound || preset;
  }

  boolean hasStatus() {
    return ProtocolFeature.STATUS.isIn(protocolFeatures);
  }

  boolean isDriverOk() {
    return (status & DeviceStatus.DRIVER_OK) != 0;
  }

  /** Called at the final start, which uses up the preset configuration. */
  void startedForGood() {
    preset = false;
  }

  void clearDriverOk() {
    status &= ~DeviceStatus.DRIVER_OK;
  }

  void effect(Effect effect) {
    effects.add(effect);
  }

  void ringStarted(RingModel ring) {
    if (!memoryComplete) {
      rules.breach(
          Rule.STARTED_ON_INCOMPLETE_MEMORY,
          "ring " + ring.number + " was started before guest memory was complete");
    }
    effects.add(new Effect.RingStarted(ring.number));
  }

  void startedWithoutSize(RingModel ring) {
    rules.breach(
        Rule.STARTED_WITHOUT_SIZE,
        "ring "
            + ring.number
            + " was started, but its size was never sent, or was forgotten at its last stop");
  }

  void usedAfterInvalidation(int ring, RingService.Piece piece) {
    rules.breach(
        Rule.USED_AFTER_INVALIDATION,
        "ring "
            + ring
            + " wrote to I/O virtual address 0x"
            + Long.toHexString(piece.address())
            + " after its invalidation was acknowledged; no message that takes the ring's lock"
            + " came in between");
  }

  boolean holdsRingsUntilStart() {
    return (protocolFeatures & offer.presetupMask()) != 0 && hasStatus();
  }

  private boolean understands(FrontEndRequest request) {
    if (request == FrontEndRequest.PRESETUP) {
      return offer.presetupMask() != 0;
    }
    return (offer.dialect().gateOf(request) & ~offer.offeredProtocolFeatures()) == 0
        && offer.dialect().idOf(request).isPresent();
  }

  private Outcome take(FrontEndRequest request, Payload payload) {
    return switch (payload) {
      case NoPayload _ -> takeQuestion(request);
      case U64 number -> takeNumber(request, number.value());
      case VringState told ->
          withRing(told.index(), ring -> deviceMessages.takeRing(request, ring, told));
      case VringAddress told -> withRing(told.index(), ring -> ringSet.takeAddress(ring, told));
      case VringDescriptor told ->
          withRing(
              told.index(), ring -> ringSet.takeNotifier(request, ring, !told.withoutDescriptor()));
      case MemoryTablePayload table -> memoryMessages.takeTable(table.regions());
      case SingleRegion single -> memoryMessages.takeRegion(request, single.region());
      case LogRegion _ -> memoryMessages.takeLog();
      default -> deviceMessages.take(request, payload);
    };
  }

  private Outcome withRing(int index, Function<RingModel, Outcome> message) {
    if (index >= rings.length) {
      return Outcome.failed("there is no ring " + Integer.toUnsignedString(index));
    }
    translations.named(index);
    return message.apply(rings[index]);
  }

  private Outcome takeQuestion(FrontEndRequest request) {
    return switch (request) {
      case GET_FEATURES -> Outcome.answered(new U64(offer.features()));
      case GET_PROTOCOL_FEATURES -> Outcome.answered(new U64(offer.offeredProtocolFeatures()));
      case GET_QUEUE_NUM -> Outcome.answered(new U64(offer.queuePairs()));
      case GET_MAX_MEM_SLOTS -> Outcome.answered(new U64(offer.memorySlots()));
      case GET_STATUS -> Outcome.answered(new U64(status));
      case SET_OWNER, SET_BACKEND_REQ_FD, SET_LOG_FD -> Outcome.done();
      case RESET_DEVICE, RESET_OWNER -> {
        ringSet.forgetAllFrom(0);
        status = 0;
        presetupRound = false;
        preset = false;
        deviceMessages.reset();
        effects.add(new Effect.HardwareForgotten());
        yield Outcome.done();
      }
      case POSTCOPY_ADVISE, POSTCOPY_LISTEN, POSTCOPY_END -> memoryMessages.takePostcopy(request);
      default -> deviceMessages.take(request, NoPayload.INSTANCE);
    };
  }

  private Outcome takeNumber(FrontEndRequest request, long value) {
    return switch (request) {
      case SET_FEATURES -> takeFeatures(value);
      case SET_PROTOCOL_FEATURES -> {
        if ((value & ~offer.offeredProtocolFeatures()) != 0) {
          yield Outcome.failed("protocol features that were not offered");
        }
        if (FrontEndRules.lacksInBandNeeds(value)) {
          yield Outcome.hungUp("in-band notifications without what they need");
        }
        protocolFeatures = value;
        yield Outcome.done();
      }
      case SET_STATUS -> {
        if ((value & ~0xff) != 0) {
          yield Outcome.failed("a status of more than eight bits");
        }
        status = (int) value;
        yield Outcome.done();
      }
      case NET_SET_MTU -> {
        if (value < 68 || value > 65535) {
          yield Outcome.failed("an MTU of " + value);
        }
        mtu = (int) value;
        yield Outcome.done();
      }
      case SEND_RARP -> {
        effects.add(new Effect.StationAnnounced(value));
        yield Outcome.done();
      }
      case PRESETUP -> takePresetup(value);
      default -> unknown("request " + request);
    };
  }

  private Outcome takeFeatures(long told) {
    if ((told & ~offer.features()) != 0) {
      return Outcome.failed("features that were not offered");
    }
    if (personality.refusesLegacy() && !NetFeature.VERSION_1.in(told)) {
      return Outcome.failed("a legacy driver");
    }
    boolean changed = ((told ^ features) & ~VhostFeature.LOG_ALL) != 0;
    if (changed && isAnyStarted() && personality.start() == Personality.Start.DEVICE_READY) {
      return Outcome.failed("features changed on a running device");
    }
    features = told;
    if ((told & VhostFeature.PROTOCOL_FEATURES) == 0 && !personality.enablesAtKick()) {
      for (RingModel ring : rings) {
        ring.enabled = true;
      }
    }
    if (!NetFeature.MQ.in(told) && personality.dropsRingsWithoutMq()) {
      ringSet.forgetAllFrom(2);
    }
    return Outcome.done();
  }

  private Outcome takePresetup(long value) {
    if (value == PresetupCode.START) {
      presetupRound = true;
      return Outcome.done();
    }
    if (value != PresetupCode.END) {
      return Outcome.failed("PRESETUP " + value);
    }
    presetupRound = false;
    preset = true;
    effects.add(new Effect.Configured("PRESETUP end", ringSet.image(false), true));
    return Outcome.done();
  }
}
