package io.github.jvhost.testkit.scenario;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.RingConfig;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.Why;
import io.github.jvhost.virtio.DeviceStatus;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The baseline that the planner is measured against: a device's start in the order in which QEMU 10
 * tells it, with a wait wherever QEMU 10 waits, whatever the back end already holds. One vhost
 * device a queue pair, as there.
 *
 * <pre>
 *   [MTU!]
 *   per pair:  ENABLE! ENABLE!
 *              FEATURES  GET_STATUS?  STATUS 8  MEM_TABLE!      (status 8 and memory once)
 *              per ring:  NUM BASE ADDR KICK! CALL!
 *   GET_STATUS?  STATUS 0xF
 *   [IOTLB_MSG! of the page where each used ring begins: all else is asked for]
 * </pre>
 *
 * <p>Stateless, and so thread-safe.
 */
public final class QemuOrder implements StartOrder {
  /** The one order of this kind. */
  public static final StartOrder QEMU = new QemuOrder();

  private QemuOrder() {}

  /**
   * {@return the start of a device of which the back end was sent nothing}
   *
   * @param held does not matter
   * @param running what it is to hold
   * @param capabilities what the back end can do
   */
  @Override
  public Plan start(Shadow held, DeviceConfig running, BackEndCapabilities capabilities) {
    return new Start(running, capabilities).plan();
  }

  /**
   * {@return the planner's stop, with a wait for every answer before the next step}
   *
   * @param held what the back end is known to hold
   * @param stopped what it is to hold
   * @param capabilities what the back end can do
   */
  @Override
  public Plan stop(Shadow held, DeviceConfig stopped, BackEndCapabilities capabilities) {
    Plan plan = StartOrder.super.stop(held, stopped, capabilities);
    List<PlannedStep> awaited = new ArrayList<>(plan.steps().size());
    for (PlannedStep s : plan.steps()) {
      Answer answer = s.answer() == Answer.COLLECTED ? Answer.AWAITED : s.answer();
      awaited.add(new PlannedStep(s.step(), answer, s.field(), s.before(), s.after(), s.why()));
    }
    return new Plan(awaited, plan.capabilities(), plan.lifecycle(), plan.generation(), plan.end());
  }

  @Override
  public boolean sideBySide() {
    return false;
  }

  @Override
  public String toString() {
    return "QEMU";
  }

  /** A start that is being made. */
  private static final class Start {
    private final DeviceConfig desired;
    private final BackEndCapabilities capabilities;
    private final List<PlannedStep> steps = new ArrayList<>();

    Start(DeviceConfig desired, BackEndCapabilities capabilities) {
      this.desired = desired;
      this.capabilities = capabilities;
    }

    Plan plan() {
      if (desired.mtu() != null && capabilities.has(ProtocolFeature.MTU)) {
        add(
            new Step.Set<>(Fact.MTU, Step.NO_RING, desired.mtu()),
            Answer.AWAITED,
            "mtu",
            desired.mtu());
      }
      for (int first = 0; first < desired.rings().size(); first += 2) {
        pair(first);
      }
      if (capabilities.hasStatus()) {
        int status = DeviceStatus.RUNNING;
        readStatus();
        add(
            new Step.Set<>(Fact.STATUS, Step.NO_RING, status),
            Answer.NONE,
            "status",
            DeviceStatus.describe(status));
      }
      usedRings();
      return new Plan(
          steps,
          capabilities,
          DeviceConfig.Lifecycle.RUNNING,
          desired.generation(),
          capabilities.hasStatus() ? Plan.End.DRIVER_OK : Plan.End.BARRIER);
    }

    private void pair(int first) {
      int end = Math.min(first + 2, desired.rings().size());
      for (int i = first; i < end; i++) {
        if (capabilities.hasRingEnable() && desired.rings().get(i).enabled()) {
          add(
              new Step.Set<>(Fact.ENABLED, i, true),
              Answer.AWAITED,
              "ring " + i + " enabled",
              true);
        }
      }
      String features = "0x" + Long.toHexString(desired.features());
      add(
          new Step.Set<>(Fact.FEATURES, Step.NO_RING, desired.features()),
          Answer.NONE,
          "features",
          features);
      if (capabilities.hasStatus()) {
        readStatus();
        if (first == 0) {
          add(
              new Step.Set<>(Fact.STATUS, Step.NO_RING, DeviceStatus.FEATURES_OK),
              Answer.NONE,
              "status",
              DeviceStatus.describe(DeviceStatus.FEATURES_OK));
        }
      }
      if (first == 0) {
        memory();
      }
      for (int i = first; i < end; i++) {
        ring(i, desired.rings().get(i));
      }
      if (first == 0 && desired.log() != null) {
        add(
            new Step.Set<>(Fact.LOG, Step.NO_RING, desired.log()),
            Answer.AWAITED,
            "log",
            desired.log());
      }
    }

    private void memory() {
      if (!capabilities.hasMemorySlots()) {
        add(
            new Step.Set<>(Fact.MEMORY, Step.NO_RING, desired.memory()),
            Answer.AWAITED,
            "memory table",
            null);
        return;
      }
      for (MemoryRegion region : desired.memory().regions()) {
        add(new Step.AddRegion(region), Answer.AWAITED, "memory region " + region.name(), null);
      }
    }

    private void ring(int index, RingConfig ring) {
      String name = "ring " + index + " ";
      if (ring.size() == null) {
        return;
      }
      add(new Step.Set<>(Fact.SIZE, index, ring.size()), Answer.NONE, name + "size", ring.size());
      int base = ring.base() == null ? 0 : ring.base();
      add(new Step.Set<>(Fact.BASE, index, base), Answer.NONE, name + "base", base);
      if (ring.addresses() != null) {
        add(
            new Step.SetRingAddress(
                index,
                ring.addresses(),
                desired.translations() == null ? desired.memory() : null,
                ring.logUsed(),
                ring.addresses().used()),
            ring.logUsed() ? Answer.AWAITED : Answer.NONE,
            name + "address",
            ring.addresses());
      }
      if (ring.kick() != null) {
        add(
            new Step.Set<>(Fact.KICK, index, ring.kick()),
            Answer.AWAITED,
            name + "kick",
            ring.kick());
      }
      if (ring.call() != null) {
        add(
            new Step.Set<>(Fact.CALL, index, ring.call()),
            Answer.AWAITED,
            name + "call",
            ring.call());
      }
    }

    private void usedRings() {
      List<Translation> mapped = desired.translations();
      if (mapped == null) {
        return;
      }
      for (RingConfig ring : desired.rings()) {
        RingAddresses at = ring.addresses();
        for (Translation one : mapped) {
          if (at != null && one.contains(at.used())) {
            add(
                new Step.Translate(one, desired.memory()),
                Answer.AWAITED,
                "translation of 0x%x".formatted(one.iova()),
                one);
          }
        }
      }
    }

    private void readStatus() {
      add(new Step.ReadStatus(0), Answer.AWAITED, "status", "read");
    }

    private void add(Step step, Answer answer, String field, @Nullable Object after) {
      boolean canAsk = capabilities.hasReplyAck() || step instanceof Step.ReadStatus;
      Answer possible = canAsk ? answer : Answer.NONE;
      steps.add(new PlannedStep(step, possible, field, null, after, Why.QEMU_ORDER));
    }
  }
}
