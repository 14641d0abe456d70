package io.github.jvhost.vhost;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.vhost.PlannedStep.Answer;
import io.github.jvhost.vhost.RingRule.WhileStarted;
import io.github.jvhost.virtio.DeviceStatus;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Finds the steps that take a back end from what it holds to what it should hold: only the
 * difference, in an order in which nothing is lost, with a stop wherever a running ring cannot take
 * the change. Pure: the same arguments give the same plan.
 *
 * <pre>
 *   stop rings that cannot take the change
 *   PRESETUP start
 *   MTU, log, features, status 8, memory
 *   per ring: size, call, enable, base, address, kick
 *   PRESETUP end
 *   status 0xF, or 0 for a device that stops
 * </pre>
 *
 * <p>A ring is enabled before it is kicked into life, because a started and disabled TX ring is
 * emptied into nothing (vhost-user, "Ring states").
 */
public final class Planner {
  private static final int RUNNING_STATUS =
      DeviceStatus.ACKNOWLEDGE
          | DeviceStatus.DRIVER
          | DeviceStatus.FEATURES_OK
          | DeviceStatus.DRIVER_OK;

  private final DeviceConfig desired;
  private final BackEndCapabilities capabilities;
  private final ShadowEditor now;
  private final List<PlannedStep> steps = new ArrayList<>();
  private boolean memoryChanged;

  private Planner(Shadow shadow, DeviceConfig desired, BackEndCapabilities capabilities) {
    this.desired = desired;
    this.capabilities = capabilities;
    this.now = new ShadowEditor(shadow, capabilities);
  }

  /**
   * The plan that leads from one to the other.
   *
   * @param shadow what the back end is known to hold
   * @param desired what it should hold
   * @param capabilities what the back end can do, and what is known of it
   */
  public static Plan plan(Shadow shadow, DeviceConfig desired, BackEndCapabilities capabilities) {
    if (desired.lifecycle().isEarly() && desired.generation() < shadow.generation()) {
      return new Plan(List.of(), capabilities, desired.lifecycle(), shadow.generation(), false);
    }
    return new Planner(shadow, desired, capabilities).plan();
  }

  private Plan plan() {
    if (desired.lifecycle() == DeviceConfig.Lifecycle.STOPPED) {
      stop();
    } else {
      configure();
    }
    boolean driverOk =
        desired.lifecycle() == DeviceConfig.Lifecycle.RUNNING && capabilities.hasStatus();
    return new Plan(steps, capabilities, desired.lifecycle(), desired.generation(), driverOk);
  }

  private void stop() {
    for (int i = 0; i < now.ringCount(); i++) {
      switch (now.ring(i).run()) {
        case STARTED -> stopRing(i, Why.STOP);
        case UNKNOWN -> stopRing(i, Why.RUN_UNKNOWN);
        case STOPPED -> {}
      }
    }
    // Only now, because a reset may take the indexes away before they are read.
    if (capabilities.hasStatus() && !(now.status() instanceof Known.NotTold)) {
      status(0, Why.STOP);
    }
  }

  private void configure() {
    stopWhatCannotChange();
    boolean explicit = desired.lifecycle() == DeviceConfig.Lifecycle.EARLY_EXPLICIT;
    int frame = steps.size();
    device();
    for (int i = 0; i < desired.rings().size(); i++) {
      RingConfig ring = desired.rings().get(i);
      if (ring.isSetUp()) {
        ring(i, ring);
      }
    }
    if (explicit && steps.size() > frame) {
      PlannedStep begin =
          new PlannedStep(
              new Step.BeginPresetup(), Answer.NONE, "presetup", null, "start", Why.PRESETUP);
      steps.add(frame, begin);
      add(new Step.EndPresetup(), Answer.COLLECTED, "presetup", null, "end", Why.PRESETUP);
    }
    if (desired.lifecycle() == DeviceConfig.Lifecycle.RUNNING
        && capabilities.hasStatus()
        && !now.status().is(RUNNING_STATUS)) {
      status(RUNNING_STATUS, Why.START);
    }
  }

  // ---- stops ----

  private void stopWhatCannotChange() {
    boolean renegotiate = featuresChangeForGood();
    boolean any = false;
    for (int i = 0; i < now.ringCount(); i++) {
      Why why = whyStop(i, renegotiate);
      if (why != null) {
        stopRing(i, why);
        any = true;
      }
    }
    if (!any) {
      return;
    }
    for (int i = 0; i < now.ringCount(); i++) {
      // Those that the stop of another one stopped, too: their bases have to be read as well.
      if (now.ring(i).run() == RingShadow.Run.UNKNOWN) {
        stopRing(i, Why.STOPS_TOGETHER);
      }
    }
  }

  private @Nullable Why whyStop(int index, boolean renegotiate) {
    RingShadow held = now.ring(index);
    return switch (held.run()) {
      case STOPPED -> null;
      case UNKNOWN -> Why.RUN_UNKNOWN;
      case STARTED -> {
        RingConfig wanted =
            index < desired.rings().size() ? desired.rings().get(index) : RingConfig.NOT_SET_UP;
        if (!wanted.isSetUp()) {
          yield Why.RING_GONE;
        }
        boolean stopForSize =
            RingRule.SIZE.whileStarted() == WhileStarted.STOP_FIRST
                && !held.size().is(wanted.size());
        boolean stopForAddress =
            RingRule.ADDRESS.whileStarted() == WhileStarted.STOP_FIRST
                && (!held.addresses().is(wanted.addresses()) || ringMoves(wanted));
        yield renegotiate || stopForSize || stopForAddress || desired.lifecycle().isEarly()
            ? Why.STOP_FIRST
            : null;
      }
    };
  }

  /** Whether a ring's bytes lie elsewhere under the new memory table. */
  private boolean ringMoves(RingConfig ring) {
    MemoryTable before = now.memory().orNull();
    RingAddresses at = ring.addresses();
    if (before == null || at == null) {
      return true;
    }
    return regionChanges(before, at.descriptor())
        || regionChanges(before, at.used())
        || regionChanges(before, at.available());
  }

  private boolean regionChanges(MemoryTable before, long guestAddress) {
    MemoryRegion held = regionAt(before, guestAddress);
    return held == null || !held.equals(regionAt(desired.memory(), guestAddress));
  }

  private static @Nullable MemoryRegion regionAt(MemoryTable table, long guestAddress) {
    for (MemoryRegion region : table.regions()) {
      long offset = guestAddress - region.guestAddress();
      if (offset >= 0 && offset < region.size()) {
        return region;
      }
    }
    return null;
  }

  private void stopRing(int index, Why why) {
    add(new Step.StopRing(index), Answer.COLLECTED, ringField(index, "stop"), null, null, why);
  }

  // ---- the device ----

  private boolean featuresChangeForGood() {
    Long held = now.features().orNull();
    return held != null
        && ShadowEditor.withoutLogBit(held) != ShadowEditor.withoutLogBit(desired.features());
  }

  private void device() {
    if (desired.mtu() != null
        && capabilities.has(ProtocolFeature.MTU)
        && !now.mtu().is(desired.mtu())) {
      add(
          new Step.SetMtu(desired.mtu()),
          Answer.COLLECTED,
          "mtu",
          now.mtu(),
          desired.mtu(),
          whyTold(now.mtu()));
    }
    // A log that shrinks shrinks after the memory that it covered is gone; one that grows comes
    // first.
    LogTarget held = now.log().orNull();
    boolean logShrinks =
        held != null && desired.log() != null && desired.log().size() < held.size();
    if (!logShrinks) {
      log();
    }
    features();
    memory();
    if (logShrinks) {
      log();
    }
  }

  private void features() {
    if (capabilities.hasStatus() && featuresChangeForGood() && mayHaveFeaturesOk()) {
      status(0, Why.RENEGOTIATE);
    }
    if (!now.features().is(desired.features())) {
      Long held = now.features().orNull();
      boolean logging = held != null && !featuresChangeForGood();
      add(
          new Step.SetFeatures(desired.features()),
          Answer.COLLECTED,
          "features",
          hex(now.features()),
          "0x" + Long.toHexString(desired.features()),
          logging ? Why.LOGGING : whyTold(now.features()));
    }
    if (capabilities.hasStatus() && !surelyHasFeaturesOk() && !startsInOneGo()) {
      status(DeviceStatus.FEATURES_OK, Why.FEATURES_SETTLED);
      if (desired.lifecycle().isEarly()) {
        add(
            new Step.ReadStatus(DeviceStatus.FEATURES_OK),
            Answer.COLLECTED,
            "status",
            null,
            DeviceStatus.describe(DeviceStatus.FEATURES_OK),
            Why.CHECK);
      }
    }
  }

  /** After a stop only the way back to DRIVER_OK is left: features were settled long before. */
  private boolean startsInOneGo() {
    return desired.lifecycle() == DeviceConfig.Lifecycle.RUNNING
        && now.status() instanceof Known.Unknown
        && now.features().is(desired.features());
  }

  private boolean mayHaveFeaturesOk() {
    return !(now.status() instanceof Known.NotTold) && !now.status().is(0);
  }

  private boolean surelyHasFeaturesOk() {
    Integer held = now.status().orNull();
    return held != null && (held & DeviceStatus.FEATURES_OK) != 0;
  }

  private void memory() {
    if (!now.memory().is(desired.memory())) {
      memoryChanged = now.memory().isTold();
      add(
          new Step.SetMemory(desired.memory()),
          Answer.COLLECTED,
          "memory table",
          sizes(now.memory()),
          sizes(desired.memory()),
          whyTold(now.memory()));
    }
  }

  private void log() {
    LogTarget log = desired.log();
    if (log != null && !now.log().is(log)) {
      add(new Step.SetLog(log), Answer.COLLECTED, "log", now.log(), log, Why.LOGGING);
    }
  }

  // ---- one ring ----

  private void ring(int index, RingConfig wanted) {
    RingShadow held = now.ring(index);
    boolean started = held.run() == RingShadow.Run.STARTED;
    if (!held.size().is(wanted.size()) && wanted.size() != null) {
      add(
          new Step.SetRingSize(index, wanted.size()),
          Answer.NONE,
          ringField(index, "size"),
          held.size(),
          wanted.size(),
          whyTold(held.size()));
    }
    Notifier call = wanted.call();
    if (call != null && !held.call().is(call)) {
      add(
          new Step.SetRingCall(index, call),
          Answer.NONE,
          ringField(index, "call"),
          held.call(),
          call,
          whyTold(held.call()));
    }
    if (capabilities.hasRingEnable() && !held.enabled().is(wanted.enabled())) {
      add(
          new Step.EnableRing(index, wanted.enabled()),
          Answer.COLLECTED,
          ringField(index, "enabled"),
          held.enabled(),
          wanted.enabled(),
          whyTold(held.enabled()));
    }
    boolean baseTold = !started && base(index, wanted);
    address(index, wanted, started, baseTold);
    Notifier kick = wanted.kick();
    if (kick != null && !now.ring(index).kick().is(kick)) {
      add(
          new Step.SetRingKick(index, kick),
          Answer.NONE,
          ringField(index, "kick"),
          held.kick(),
          kick,
          whyTold(held.kick()));
    }
  }

  private boolean base(int index, RingConfig wanted) {
    RingShadow held = now.ring(index);
    boolean stoppedInThisPlan = stoppedInThisPlan(index);
    if (wanted.base() == null && !stoppedInThisPlan) {
      return false;
    }
    if (stoppedInThisPlan && desired.lifecycle() == DeviceConfig.Lifecycle.RUNNING) {
      // Where the ring really stopped is fresher than anything that the caller can know.
      add(
          new Step.SetRingBase(index, null),
          Answer.NONE,
          ringField(index, "base"),
          null,
          "where it stopped",
          Why.UNKNOWN);
      return true;
    }
    if (wanted.base() == null) {
      return false;
    }
    if (desired.lifecycle().isEarly() && !(held.base() instanceof Known.NotTold)) {
      return false; // told once to complete the ring; it says nothing, so it never has to be right
    }
    if (held.base().is(wanted.base())) {
      return false;
    }
    add(
        new Step.SetRingBase(index, wanted.base()),
        Answer.NONE,
        ringField(index, "base"),
        held.base(),
        wanted.base(),
        held.base() instanceof Known.Unknown ? Why.EARLY_BASE : whyTold(held.base()));
    return true;
  }

  private boolean stoppedInThisPlan(int index) {
    for (PlannedStep step : steps) {
      if (step.step() instanceof Step.StopRing(int ring) && ring == index) {
        return true;
      }
    }
    return false;
  }

  private void address(int index, RingConfig wanted, boolean started, boolean baseTold) {
    RingAddresses addresses = wanted.addresses();
    if (addresses == null) {
      return;
    }
    RingShadow held = now.ring(index);
    boolean moved = !held.addresses().is(addresses);
    boolean logFlag = !held.logUsed().is(wanted.logUsed());
    boolean wouldResume =
        baseTold
            && capabilities.profile().takesUsedIndexAtTranslation()
            && wanted.usedIndex() != null
            && wanted.base() != null
            && wanted.usedIndex() != (wanted.base() & 0xffff);
    if (!moved && !logFlag && !wouldResume) {
      return;
    }
    Why why;
    if (moved) {
      boolean forgotten = memoryChanged && held.addresses() instanceof Known.Unknown;
      why = forgotten ? Why.MEMORY_CHANGED : whyTold(held.addresses());
    } else {
      why = logFlag ? Why.LOGGING : Why.USED_INDEX_DIFFERS;
    }
    add(
        new Step.SetRingAddress(index, addresses, desired.memory(), wanted.logUsed()),
        started ? Answer.COLLECTED : Answer.NONE,
        ringField(index, "address"),
        held.addresses(),
        addresses,
        why);
  }

  // ---- common ----

  private void status(int status, Why why) {
    add(
        new Step.SetStatus(status),
        Answer.NONE,
        "status",
        hex(now.status()),
        "0x" + Integer.toHexString(status),
        why);
  }

  private void add(
      Step step,
      Answer answer,
      String field,
      @Nullable Object before,
      @Nullable Object after,
      Why why) {
    Answer possible = needsAck(step) && !capabilities.hasReplyAck() ? Answer.NONE : answer;
    steps.add(new PlannedStep(step, possible, field, before, after, why));
    now.apply(step, null);
  }

  private static boolean needsAck(Step step) {
    return !(step instanceof Step.StopRing || step instanceof Step.ReadStatus);
  }

  private static Why whyTold(Known<?> held) {
    return switch (held) {
      case Known.NotTold<?> _ -> Why.NOT_TOLD;
      case Known.Told<?> _ -> Why.CHANGED;
      case Known.Unknown<?> _ -> Why.UNKNOWN;
    };
  }

  private static String ringField(int index, String what) {
    return "ring " + index + " " + what;
  }

  private static Object hex(Known<? extends Number> known) {
    Number told = known.orNull();
    return told == null ? known : "0x" + Long.toHexString(told.longValue());
  }

  private static Object sizes(Known<MemoryTable> known) {
    MemoryTable table = known.orNull();
    return table == null ? known : sizes(table);
  }

  private static String sizes(MemoryTable table) {
    long bytes = 0;
    for (MemoryRegion region : table.regions()) {
      bytes += region.size();
    }
    return table.regions().size() + " region(s), " + (bytes >> 20) + " MiB";
  }

  /** The features that a back end is told: the driver's, and vhost's own. */
  static long withVhostBits(long features, BackEndCapabilities capabilities, boolean logging) {
    long own = capabilities.features() & VhostFeature.PROTOCOL_FEATURES;
    return features | own | (logging ? VhostFeature.LOG_ALL : 0);
  }
}
