package io.github.jvhost.vhost;

import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestAddressException;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.virtio.ControlState;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.QueueState;
import io.github.jvhost.virtio.VirtioNet;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The start of a device, planned and encoded from a state that was saved while its guest still ran.
 * When the device is started, this state is compared with the device. If only ring indexes have
 * changed, they are patched into the bytes. Otherwise the planner plans again.
 */
final class PreparedStart {
  private PreparedTransition transition;
  private final List<PlannedStep> steps;
  private final MemoryTable memory;
  private final @Nullable InflightRegion inflight;
  private final List<Translation> translations;

  // The values of the device from which the plan was made.
  private final long features;
  private final boolean packed;
  private final boolean bigEndian;
  private final boolean sendsMtu;
  private final int mtu;
  private final int pairs;
  private final int pairsInUse;
  private final ControlState control;

  /** The features of those commands that the back end is told. */
  private final long commands;

  private final List<QueueState> rings;

  /** By step: whether the base has to be the used index in guest memory. */
  private final boolean[] mustBeUsedIndex;

  /** Whether this is of a rehearsal's device, whose guest memory has not arrived. */
  private boolean rehearses;

  /** For rehearsals: whether the device counts as changed. */
  private boolean changed;

  /**
   * Prepares a start.
   *
   * @param like a model with the early state
   * @param transition planned from that model without reading guest memory
   * @param memory the table that the plan was made with
   * @param inflight the device's region at this time
   * @param translations that the plan was made with; none without an IOMMU
   */
  PreparedStart(
      VirtioNet like,
      PreparedTransition transition,
      MemoryTable memory,
      @Nullable InflightRegion inflight,
      List<Translation> translations) {
    this.transition = transition;
    this.steps = transition.plan().steps();
    this.memory = memory;
    this.inflight = inflight;
    this.translations = translations;
    this.features = like.driverFeatures();
    this.packed = like.packed();
    this.bigEndian = like.legacyBigEndian();
    this.sendsMtu = NetFeature.MTU.in(like.driverFeatures());
    this.mtu = like.mtu();
    this.pairs = like.backEndQueuePairs();
    this.pairsInUse = like.currentQueuePairs();
    this.commands = transition.plan().capabilities().commands();
    this.control = like.controlState();
    List<QueueState> queues = new ArrayList<>(2 * pairs);
    for (int i = 0; i < 2 * pairs; i++) {
      queues.add(like.queue(i));
    }
    this.rings = List.copyOf(queues);
    this.mustBeUsedIndex = basesThatMustBeUsedIndex();
  }

  /**
   * Patches the ring bases, if nothing else has changed.
   *
   * @param model of the device, complete
   * @param guest memory, complete
   * @param held what the back end is known to hold now
   * @param region the device's in-flight region now
   * @param mapped the translations that the back end is to have now
   * @param connection of the device now
   * @return what to carry out; null if something else has changed, or if this was carried out
   *     before
   */
  @SuppressWarnings("ReferenceEquality") // immutable, and compared without walking through them
  @Nullable Execution completed(
      VirtioNet model,
      DeviceMemory guest,
      Shadow held,
      @Nullable InflightRegion region,
      List<Translation> mapped,
      Carrier connection) {
    boolean same =
        transition.stillFits(held, connection)
            && region == inflight
            && guest.guest().table() == memory
            && mapped.equals(translations)
            && isLike(model);
    return same && patch(model, guest) && !changed ? transition.takeExecution() : null;
  }

  /**
   * For rehearsals: prepares the same start again.
   *
   * @param nowChanged whether the device counts as changed meanwhile
   */
  void rewind(boolean nowChanged) {
    rehearses = true;
    changed = nowChanged;
    transition = transition.again();
  }

  private boolean isLike(VirtioNet model) {
    boolean same =
        model.driverFeatures() == features
            && model.packed() == packed
            && model.legacyBigEndian() == bigEndian
            && NetFeature.MTU.in(model.driverFeatures()) == sendsMtu
            && (!sendsMtu || model.mtu() == mtu)
            && model.backEndQueuePairs() == pairs
            && model.currentQueuePairs() == pairsInUse
            && (commands == 0 || model.controlState().commandsFrom(control, commands).isEmpty());
    for (int i = 0; same && i < rings.size(); i++) {
      same = model.isSetUpLike(i, rings.get(i));
    }
    return same;
  }

  private boolean patch(VirtioNet model, DeviceMemory guest) {
    for (int i = 0; i < steps.size(); i++) {
      int ring = ringOfBase(i);
      if (ring != Step.NO_RING) {
        int base = model.ringBase(ring);
        if (mustBeUsedIndex[i] && !isUsedIndex(base, rings.get(ring), guest) && !rehearses) {
          return false; // its address has to be sent again, after the base
        }
        transition.base(i, base);
      }
    }
    return true;
  }

  /** The ring whose base a step sets; {@link Step#NO_RING} if it sets none. */
  private int ringOfBase(int step) {
    return steps.get(step).step() instanceof Step.Set<?> s && s.fact() == Fact.BASE
        ? s.ring()
        : Step.NO_RING;
  }

  private boolean isUsedIndex(int base, QueueState ring, DeviceMemory guest) {
    try {
      return !bigEndian && NetConfiguration.usedIndex(guest, ring.used(), false) == (base & 0xffff);
    } catch (GuestAddressException e) {
      return false; // the guest has unmapped it since the last look
    }
  }

  /**
   * Says of each step whether it sets a base that is only right if it equals the used index in
   * guest memory. A back end that was preset with the address of a ring may have taken the used
   * index for the base then, or take it later. If the ring goes on elsewhere, the address has to be
   * sent again after the base. This plan has no step for that, so another one has to be made. A
   * plan that sends the address after the base anyway is right for every base.
   */
  private boolean[] basesThatMustBeUsedIndex() {
    boolean[] mustBe = new boolean[steps.size()];
    BackEndProfile profile = transition.plan().capabilities().profile();
    boolean takes = profile.takesUsedIndexAtTranslation() && !packed;
    for (int i = 0; takes && i < mustBe.length; i++) {
      int ring = ringOfBase(i);
      mustBe[i] =
          ring != Step.NO_RING
              && steps.stream()
                  .noneMatch(s -> s.step() instanceof Step.SetRingAddress a && a.ring() == ring);
    }
    return mustBe;
  }
}
