package io.github.jvhost.vhost.plan;

import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A plan that is being made: where it starts, where it leads, the steps so far, and what the back
 * end will hold once it has taken them.
 */
final class PlanDraft {
  private final Shadow before;
  private final DeviceConfig desired;
  private final BackEndCapabilities capabilities;
  private final ShadowEditor now;
  private final List<PlannedStep> steps = new ArrayList<>();

  /** The rings of {@link Step.StopRing} among them: asked for once for each ring. */
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

  /** What is desired of a ring; nothing of one that the configuration does not have. */
  RingConfig wanted(int index) {
    return index < desired.rings().size() ? desired.rings().get(index) : RingConfig.NOT_SET_UP;
  }

  /** Whether anything but the log bit is to become different in features that were told. */
  boolean featuresChangeForGood() {
    return changesForGood(now.features());
  }

  /** The same, seen from before the first step. */
  boolean renegotiates() {
    return changesForGood(before.features());
  }

  private boolean changesForGood(Known<Long> features) {
    Long held = features.orNull();
    return held != null
        && ShadowEditor.withoutLogBit(held) != ShadowEditor.withoutLogBit(desired.features());
  }

  /** Entries of the largest ring that is set up; 0: none is. */
  int largestRing() {
    int largest = 0;
    for (RingConfig ring : desired.rings()) {
      largest = Math.max(largest, ring.size() == null ? 0 : ring.size());
    }
    return largest;
  }

  /** Whether what is in flight is, or may be, to be noted in another region than up to now. */
  boolean replacesInflight() {
    return switch (before.inflight()) {
      case Known.NotTold<?> _ -> false;
      case Known.Unknown<?> _ -> true;
      case Known.Told<Optional<InflightRegion>>(Optional<InflightRegion> held) ->
          held.isPresent()
              && (desired.inflight() == null
                  ? !held.get().fits(desired.rings().size(), largestRing())
                  : !held.get().equals(desired.inflight()));
    };
  }

  /** Whether the ring is stopped by one of the steps so far. */
  boolean stops(int index) {
    return stopped.get(index);
  }

  /** Adds a step behind all others. */
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

  static Why whyTold(Known<?> held) {
    return switch (held) {
      case Known.NotTold<?> _ -> Why.NOT_TOLD;
      case Known.Told<?> _ -> Why.CHANGED;
      case Known.Unknown<?> _ -> Why.UNKNOWN;
    };
  }

  static String ringField(int index, String what) {
    return "ring " + index + " " + what;
  }
}
