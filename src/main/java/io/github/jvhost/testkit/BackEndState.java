package io.github.jvhost.testkit;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
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

/**
 * A back end without sockets, threads or memory: what one front end told it since it connected, and
 * what follows from each further message in this {@link Personality}. Nothing survives a
 * connection: a reconnect is a new object.
 *
 * <pre>
 *   request, payload, number of descriptors
 *        |
 *        v
 *   FrontEndRules (written down, never refused) -> the message's own effect -> which rings run now?
 *                                                                                    |
 *   Outcome: answer + effects (map, start, stop, configure ...)  <--------------------+
 * </pre>
 *
 * <p>Whether a ring runs is not remembered but derived after each message, so that the order in
 * which conditions become true never matters. Used by one thread.
 */
public final class BackEndState {
  /** The payload of PRESETUP that begins a round. */
  public static final long PRESETUP_START = 1;

  /** The payload of PRESETUP that ends a round: the configuration goes to hardware. */
  public static final long PRESETUP_END = 2;

  private final BackEndOffer offer;
  private final Personality personality;
  private final RingModel[] rings;
  private final RingSet ringSet;
  private final BackEndMemoryTable memory = new BackEndMemoryTable();
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
   * A back end that was told nothing yet.
   *
   * @param offer what it has to offer, and its personality
   * @param usedIndexes how it looks into guest memory
   */
  public BackEndState(BackEndOffer offer, UsedIndexReader usedIndexes) {
    this.offer = offer;
    this.personality = offer.personality();
    this.rings = new RingModel[offer.rings()];
    for (int i = 0; i < rings.length; i++) {
      rings[i] = new RingModel(i);
    }
    this.ringSet = new RingSet(this, rings, memory, usedIndexes);
  }

  /**
   * Takes one message.
   *
   * @param request which
   * @param payload decoded; of a layout that is not the request's own it is refused
   * @param descriptors how many descriptors came along
   * @return the answer and everything that has to be done now; nothing has to be done when it was
   *     refused
   */
  public Outcome handle(FrontEndRequest request, Payload payload, int descriptors) {
    if (!understands(request)) {
      rules.breach(Rule.NOT_NEGOTIATED, request + ", which was not offered");
      return unknown("request " + request);
    }
    rules.check(request, payload);
    long missing = offer.dialect().gateOf(request) & ~protocolFeatures;
    if (missing != 0) {
      rules.breach(Rule.NOT_NEGOTIATED, request + " without " + offer.dialect().describe(missing));
      return Outcome.failed(request + " was not negotiated");
    }
    try {
      request.requireWellFormed(payload, descriptors);
    } catch (IllegalArgumentException e) {
      return Outcome.failed(String.valueOf(e.getMessage()));
    }
    effects = new ArrayList<>();
    int statusBefore = status;
    Outcome outcome = take(request, payload);
    if (!outcome.tookEffect()) {
      return outcome;
    }
    ringSet.settle(request, (status & ~statusBefore & DeviceStatus.DRIVER_OK) != 0);
    return outcome.with(effects);
  }

  /** Notes that an acknowledgement was asked for; only with REPLY_ACK may it be. */
  void acknowledgementAskedFor(FrontEndRequest request) {
    if (!ProtocolFeature.REPLY_ACK.isIn(protocolFeatures)) {
      rules.breach(Rule.NOT_NEGOTIATED, "NEED_REPLY on " + request + " without REPLY_ACK");
    }
  }

  /** Takes a message whose number means nothing here. */
  public Outcome unknown(String what) {
    String reason = what + " is not known here";
    return personality.hangsUpOnUnknown() ? Outcome.hungUp(reason) : Outcome.failed(reason);
  }

  /**
   * Says whether guest memory holds what the rings need; true at first. While it does not, a ring
   * that is started is a breach of the rules.
   */
  public void guestMemoryComplete(boolean complete) {
    memoryComplete = complete;
  }

  /** What it offers. */
  public BackEndOffer offer() {
    return offer;
  }

  /** The features of the last SET_FEATURES; 0 before. */
  public long features() {
    return features;
  }

  /** The protocol features of the last SET_PROTOCOL_FEATURES; 0 before. */
  public long protocolFeatures() {
    return protocolFeatures;
  }

  /** The virtio status byte. */
  public int status() {
    return status;
  }

  /** The MTU that was told, 0 when none was. */
  public int mtu() {
    return mtu;
  }

  /** The memory regions that are known now. */
  public List<MemoryRegionPayload> memory() {
    return memory.regions();
  }

  /** One ring, from 0 to below {@link BackEndOffer#rings()}. */
  public RingView ring(int number) {
    return rings[number].view();
  }

  /** What the front end did that it must not do, in order. */
  public List<RuleBreach> violations() {
    return List.copyOf(breaches);
  }

  /** Whether any ring is touched now. */
  public boolean isAnyStarted() {
    return Arrays.stream(rings).anyMatch(ring -> ring.started);
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

  /** Whether a presetup round was begun and the device was not started since. */
  boolean isPreset() {
    return presetupRound || preset;
  }

  boolean hasStatus() {
    return ProtocolFeature.STATUS.isIn(protocolFeatures);
  }

  boolean isDriverOk() {
    return (status & DeviceStatus.DRIVER_OK) != 0;
  }

  /** The final start came: a preset configuration is spent. */
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
          told.index() >= rings.length
              ? noSuchRing(told.index())
              : ringSet.takeNumber(request, rings[told.index()], told.num());
      case VringAddress told ->
          told.index() >= rings.length
              ? noSuchRing(told.index())
              : ringSet.takeAddress(rings[told.index()], told);
      case VringDescriptor told ->
          told.index() >= rings.length
              ? noSuchRing(told.index())
              : ringSet.takeNotifier(request, rings[told.index()], !told.withoutDescriptor());
      case MemoryTablePayload table -> takeMemory(table.regions());
      case SingleRegion single -> takeRegion(request, single.region());
      default ->
          request == FrontEndRequest.SET_LOG_BASE ? takeLog() : unknown("request " + request);
    };
  }

  private Outcome noSuchRing(int index) {
    return Outcome.failed("there is no ring " + Integer.toUnsignedString(index));
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
        effects.add(new Effect.HardwareForgotten());
        yield Outcome.done();
      }
      default -> unknown("request " + request);
    };
  }

  private Outcome takeNumber(FrontEndRequest request, long value) {
    return switch (request) {
      case SET_FEATURES -> takeFeatures(value);
      case SET_PROTOCOL_FEATURES -> {
        if ((value & ~offer.offeredProtocolFeatures()) != 0) {
          yield Outcome.failed("protocol features that were not offered");
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
    if (value == PRESETUP_START) {
      presetupRound = true;
      return Outcome.done();
    }
    if (value != PRESETUP_END) {
      return Outcome.failed("PRESETUP " + value);
    }
    presetupRound = false;
    preset = true;
    effects.add(new Effect.Configured("PRESETUP end", ringSet.image(false), true));
    return Outcome.done();
  }

  private Outcome takeMemory(List<MemoryRegionPayload> told) {
    if (BackEndMemoryTable.overlap(told)) {
      return Outcome.failed("memory regions that overlap");
    }
    boolean isNew = !memory.regions().equals(told);
    if (isNew || !personality.keepsEqualMemory()) {
      memory.replace(told);
      effects.add(new Effect.MemoryReplaced(List.copyOf(told), isNew));
      ringSet.retranslate();
    }
    return Outcome.done();
  }

  private Outcome takeRegion(FrontEndRequest request, MemoryRegionPayload region) {
    if (request == FrontEndRequest.ADD_MEM_REG) {
      if (memory.regions().size() >= offer.memorySlots() || !memory.add(region)) {
        return Outcome.failed("a memory region that finds no place");
      }
      effects.add(new Effect.RegionAdded(region));
    } else {
      MemoryRegionPayload removed = memory.remove(region);
      if (removed == null) {
        return Outcome.failed("a memory region that was never added");
      }
      effects.add(new Effect.RegionRemoved(removed));
    }
    ringSet.retranslate();
    return Outcome.done();
  }

  private Outcome takeLog() {
    effects.add(new Effect.LogReplaced());
    if (!ProtocolFeature.LOG_SHMFD.isIn(protocolFeatures)) {
      return Outcome.done();
    }
    // The specification does not say how long this answer is: DPDK's is empty, libvhost-user's a
    // number.
    return Outcome.answered(personality.baseSetsUsed() ? NoPayload.INSTANCE : new U64(0));
  }
}
