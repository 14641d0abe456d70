package io.github.jvhost.vhost.plan;

import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.ControlState;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A plan that is being made: what the back end holds, what it should hold, the steps so far, and
 * what it will hold once it has taken them.
 */
final class PlanDraft {
  private final Shadow before;
  private final DeviceConfig desired;
  private final BackEndCapabilities capabilities;
  private final ShadowEditor now;
  private final List<PlannedStep> steps = new ArrayList<>();

  /** Whether the steps so far replace guest memory that was sent before. */
  private boolean replacesMemory;

  /**
   * The rings of the {@link Step.StopRing} so far; kept apart because it is asked for each ring.
   */
  private final BitSet stopped = new BitSet();

  PlanDraft(Shadow before, DeviceConfig desired, BackEndCapabilities capabilities) {
    this.before = before;
    this.desired = desired;
    this.capabilities = capabilities;
    this.now = new ShadowEditor(before, capabilities);
  }

  /** What the back end held before the first step. */
  Shadow before() {
    return before;
  }

  DeviceConfig desired() {
    return desired;
  }

  BackEndCapabilities capabilities() {
    return capabilities;
  }

  /** What the back end will hold after the steps so far. */
  ShadowEditor now() {
    return now;
  }

  List<PlannedStep> steps() {
    return steps;
  }

  /** What is desired of a ring; NOT_SET_UP if the configuration does not have it. */
  RingConfig wanted(int index) {
    return index < desired.rings().size() ? desired.rings().get(index) : RingConfig.NOT_SET_UP;
  }

  /** Whether any bit but the log bit is to change in the features that the back end holds. */
  boolean featuresChangeForGood() {
    return changesForGood(now.get(Fact.FEATURES));
  }

  /** The same for the features before the first step. */
  boolean renegotiates() {
    return changesForGood(before.get(Fact.FEATURES));
  }

  private boolean changesForGood(Known<Long> features) {
    Long held = features.orNull();
    return held != null
        && ShadowEditor.withoutLogBit(held) != ShadowEditor.withoutLogBit(desired.features());
  }

  /** Entries of the largest ring that is set up; 0 if none is. */
  int largestRing() {
    int largest = 0;
    for (RingConfig ring : desired.rings()) {
      largest = Math.max(largest, ring.size() == null ? 0 : ring.size());
    }
    return largest;
  }

  /** Whether the back end is, or may be, to record requests in flight in another region. */
  boolean replacesInflight() {
    return switch (before.get(Fact.INFLIGHT)) {
      case Known.NotSent<?> _ -> false;
      case Known.Unknown<?> _ -> true;
      case Known.Held<Optional<InflightRegion>>(Optional<InflightRegion> held) ->
          held.isPresent()
              && (desired.inflight() == null
                  ? !held.get().fits(desired.rings().size(), largestRing())
                  : !held.get().equals(desired.inflight()));
    };
  }

  /** Whether one of the steps so far stops the ring. */
  boolean stops(int index) {
    return stopped.get(index);
  }

  void replacesMemory(boolean replaced) {
    replacesMemory = replaced;
  }

  // ---- what the rows of Fact call ----

  @Nullable Why whyFeatures(Known<Long> held) {
    if (held.is(desired.features())) {
      return null;
    }
    return held.isHeld() && !featuresChangeForGood() ? Why.LOGGING : whySent(held);
  }

  /** An err eventfd that is no longer wanted is withdrawn. */
  @Nullable RingEventfd wantedErr(int ring) {
    RingEventfd err = wanted(ring).err();
    boolean heldOne = now.ring(ring).get(Fact.ERR).orNull() instanceof RingEventfd.Fd;
    return err == null && heldOne ? new RingEventfd.NoFd() : err;
  }

  /**
   * A ring is served from the start on. One that never was need not be told that it is not. One
   * that this plan stops is told so: the back end goes on to know best where it is.
   */
  @Nullable Boolean wantedServed(int ring) {
    boolean enabled = wanted(ring).enabled();
    boolean wasServed = stops(ring) || !(now.ring(ring).get(Fact.SERVED) instanceof Known.NotSent);
    boolean starts = desired.lifecycle() == DeviceConfig.Lifecycle.RUNNING;
    return (starts && (enabled || wasServed)) ? enabled : null;
  }

  /** A device is started early on rings of ours, because guest memory is not there yet. */
  @Nullable Integer wantedStandIn(int ring) {
    boolean startsEarly =
        desired.lifecycle() == DeviceConfig.Lifecycle.PRESET_EXPLICIT
            && capabilities.freezesRings();
    return startsEarly ? wanted(ring).size() : null;
  }

  /** Early, a base only completes the ring. The real base is sent in the stop window. */
  @Nullable Integer wantedBase(int ring) {
    boolean complete = !(now.ring(ring).get(Fact.BASE) instanceof Known.NotSent);
    return desired.lifecycle().isEarly() && complete ? null : wanted(ring).base();
  }

  @Nullable Why whyBase(int ring, Known<Integer> held) {
    if (held.is(wanted(ring).base())) {
      return null;
    }
    return held instanceof Known.Unknown ? Why.EARLY_BASE : whySent(held);
  }

  @Nullable Why whyAddress(int ring, Known<RingAddresses> held) {
    if (!held.is(wanted(ring).addresses())) {
      boolean forgotten = replacesMemory && held instanceof Known.Unknown;
      return forgotten ? Why.MEMORY_CHANGED : whySent(held);
    }
    return wouldResumeElsewhere(ring) ? Why.USED_INDEX_DIFFERS : null;
  }

  /** Whether the back end would replace the base just sent by the used index in guest memory. */
  private boolean wouldResumeElsewhere(int ring) {
    RingConfig wanted = wanted(ring);
    return capabilities.profile().takesUsedIndexAtTranslation()
        && wanted.usedIndex() != null
        && wanted.base() != null
        && wanted.usedIndex() != (wanted.base() & 0xffff)
        && !steps.isEmpty()
        && isBaseOf(ring, steps.getLast().step());
  }

  private static boolean isBaseOf(int ring, Step step) {
    return switch (step) {
      case Step.Set<?> s -> s.fact() == Fact.BASE && s.ring() == ring;
      case Step.ResumeRing r -> r.ring() == ring;
      default -> false;
    };
  }

  /** The one step that carries a ring's addresses and its log flag. */
  Step addressStep(int ring) {
    RingConfig wanted = wanted(ring);
    RingAddresses at = Objects.requireNonNull(wanted.addresses());
    boolean packed = NetFeature.RING_PACKED.in(desired.features());
    return new Step.SetRingAddress(
        ring,
        at,
        desired.translations() == null ? desired.memory() : null,
        wanted.logUsed(),
        packed ? at.descriptor() : at.used());
  }

  // ---- steps ----

  /**
   * The commands that the back end has yet to be told. The address may be told although the driver
   * has not negotiated that it may set it: a guest that arrives brings its own.
   */
  List<ControlCommand> commands() {
    ControlState wanted = desired.control();
    if (wanted == null) {
      return List.of();
    }
    long told = capabilities.commands() & (desired.features() | NetFeature.CTRL_MAC_ADDR.mask());
    return wanted.commandsFrom(heldControl(wanted), told);
  }

  /** What the back end holds of what commands set; null: not known. */
  private @Nullable ControlState heldControl(ControlState wanted) {
    return switch (now.get(Fact.CONTROL)) {
      case Known.Held<ControlState>(ControlState held) -> held;
      case Known.NotSent<?> _ -> wanted.ofNewDevice(capabilities.ownMac(), desired.features());
      case Known.Unknown<?> _ -> null;
    };
  }

  /** Adds the steps of {@link #commands}. */
  void sendCommands() {
    ControlState wanted = desired.control();
    List<ControlCommand> commands = commands();
    if (wanted == null || commands.isEmpty()) {
      return;
    }
    Why why = whySent(now.get(Fact.CONTROL));
    // Of a new device not all is known before it was told all.
    ControlState reached = now.get(Fact.CONTROL).orNull();
    for (int i = 0; i < commands.size(); i++) {
      ControlCommand command = commands.get(i);
      boolean last = i == commands.size() - 1;
      reached = last ? wanted : reached == null ? null : reached.after(command);
      add(new Step.Command(command, reached), Answer.COLLECTED, "command", null, command, why);
    }
  }

  /**
   * Adds the step of a fact if the back end does not hold what is wanted.
   *
   * @param ring vring index; {@link Step#NO_RING} for a fact of the device
   */
  <T> void send(Fact<T> fact, int ring) {
    T wanted = fact.wanted(this, ring);
    if (wanted != null) {
      Why why = fact.why(this, ring, now.get(fact, ring), wanted);
      if (why != null) {
        send(fact, ring, wanted, why);
      }
    }
  }

  /** Adds the step that makes the back end hold this value. */
  <T> void send(Fact<T> fact, int ring, T value, Why why) {
    String field = ring == Step.NO_RING ? fact.name() : ringField(ring, fact.name());
    Object held = fact.text(now.get(fact, ring));
    add(fact.step(this, ring, value), fact.answer(), field, held, fact.text(value), why);
  }

  /** Adds a step at the end. */
  void add(
      Step step,
      Answer answer,
      String field,
      @Nullable Object before,
      @Nullable Object after,
      Why why) {
    Answer possible = needsAck(step) && !capabilities.hasReplyAck() ? Answer.NONE : answer;
    steps.add(new PlannedStep(step, possible, field, before, after, why));
    if (step instanceof Step.StopRing(int ring)) {
      stopped.set(ring);
    }
    now.apply(step, null);
  }

  static boolean needsAck(Step step) {
    return !(step instanceof Step.StopRing
        || step instanceof Step.ReadStatus
        || step instanceof Step.GetInflight);
  }

  static Why whySent(Known<?> held) {
    return switch (held) {
      case Known.NotSent<?> _ -> Why.NOT_SENT;
      case Known.Held<?> _ -> Why.CHANGED;
      case Known.Unknown<?> _ -> Why.UNKNOWN;
    };
  }

  static String ringField(int index, String what) {
    return "ring " + index + " " + what;
  }
}
