package io.github.jvhost.testkit.scenario;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.testkit.HardwareModel;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The options of one migration.
 *
 * @param variant how to migrate
 * @param devices how many NICs, 1 to 16
 * @param queuePairs queue pairs of each NIC, 1 to 8
 * @param memoryBytes the guest's memory in bytes, 16 MiB or more, whole MiB
 * @param profile what the front end assumes of its back ends
 * @param hardware the prices of configuring the mock back end (modelled)
 * @param personality the personality of the mock back end
 * @param backEnd which kind of back end
 * @param testpmd the program if it is a real one; null for dpdk-testpmd from PATH
 * @param packed whether the guest uses packed rings
 * @param iommu whether each NIC is behind an IOMMU, with mappings that stay
 * @param change what changes between presetup and stop
 * @param failure what fails during the migration
 */
public record ScenarioOptions(
    Variant variant,
    int devices,
    int queuePairs,
    long memoryBytes,
    BackEndProfile profile,
    HardwareModel hardware,
    Personality personality,
    BackEndKind backEnd,
    @Nullable Path testpmd,
    boolean packed,
    boolean iommu,
    Change change,
    Failure failure) {
  private static final long MIB = 1 << 20;

  /** The back ends with which a scenario can run. */
  public enum BackEndKind {
    /** The mock of this testkit. */
    MOCK,
    /** A real dpdk-testpmd. */
    DPDK,
    /** The kernel's vhost-net, with a tap for each device of each host. */
    VHOST_NET
  }

  /** Checks the ranges. */
  public ScenarioOptions {
    check(devices >= 1 && devices <= 16, "devices: 1 to 16", devices);
    check(queuePairs >= 1 && queuePairs <= 8, "queue pairs: 1 to 8", queuePairs);
    check(
        memoryBytes >= 16 * MIB && memoryBytes % MIB == 0,
        "memory in bytes: whole MiB, 16 of them at least",
        memoryBytes);
    if (backEnd == BackEndKind.DPDK && (change == Change.QUEUE_PAIRS && queuePairs == 1)) {
      throw new VhostException("a change of queue pairs needs two of them", Recovery.GIVE_UP);
    }
    if (backEnd != BackEndKind.MOCK && failure != Failure.NONE && !failure.isCancel()) {
      throw new VhostException(
          "a real back end fails when it wants to: scripted failures are the mock's",
          Recovery.GIVE_UP);
    }
    if (backEnd == BackEndKind.VHOST_NET && (packed || iommu)) {
      throw new VhostException(
          "vhost-net has no packed rings, and this library no IOMMU with it", Recovery.GIVE_UP);
    }
    if (backEnd == BackEndKind.MOCK && iommu && !knowsIommu(personality)) {
      throw new VhostException(
          "%s has no IOMMU support: a guest behind an IOMMU needs a back end like dpdk"
              .formatted(personality.name().toLowerCase(Locale.ROOT).replace('_', '-')),
          Recovery.GIVE_UP);
    }
  }

  private static boolean knowsIommu(Personality personality) {
    return switch (personality) {
      case GENERIC, DPDK, VFE -> true;
      case LIBVHOST_USER, RUST_VMM, CROSVM, VPP -> false;
    };
  }

  private static void check(boolean good, String rule, long value) {
    if (!good) {
      throw new VhostException(rule + ", not " + value, Recovery.GIVE_UP);
    }
  }

  /**
   * {@return a migration of two NICs with one queue pair each and 64 MiB, with the GENERIC mock
   * back end and no modelled costs}
   *
   * @param variant how to migrate
   */
  public static ScenarioOptions of(Variant variant) {
    return new ScenarioOptions(
        variant,
        2,
        1,
        64 * MIB,
        BackEndProfile.GENERIC,
        HardwareModel.none(),
        Personality.GENERIC,
        BackEndKind.MOCK,
        null,
        false,
        false,
        Change.NONE,
        Failure.NONE);
  }

  /**
   * Returns the most queue pairs of the devices: one more than are used if their number changes.
   */
  int maxQueuePairs() {
    return change == Change.QUEUE_PAIRS ? Math.max(2, queuePairs) : queuePairs;
  }

  /** Returns the number of queue pairs after the change. */
  int changedQueuePairs() {
    return queuePairs == maxQueuePairs() ? queuePairs - 1 : maxQueuePairs();
  }

  /**
   * {@return the same with other parts}
   *
   * @param newHardware the prices of configuring the mock back end (modelled); null to keep them
   * @param newPersonality the personality of the mock back end; null to keep it
   * @param newProfile what the front end assumes of its back ends; null to keep it
   */
  public ScenarioOptions with(
      @Nullable HardwareModel newHardware,
      @Nullable Personality newPersonality,
      @Nullable BackEndProfile newProfile) {
    return with(to -> {
      to.hardware = newHardware == null ? hardware : newHardware;
      to.personality = newPersonality == null ? personality : newPersonality;
      to.profile = newProfile == null ? profile : newProfile;
    });
  }

  /**
   * {@return the same with another size}
   *
   * @param newDevices how many NICs, 1 to 16
   * @param newQueuePairs queue pairs of each NIC, 1 to 8
   * @param newMemoryBytes the guest's memory in bytes, 16 MiB or more, whole MiB
   */
  public ScenarioOptions sized(int newDevices, int newQueuePairs, long newMemoryBytes) {
    return with(to -> {
      to.devices = newDevices;
      to.queuePairs = newQueuePairs;
      to.memoryBytes = newMemoryBytes;
    });
  }

  /**
   * {@return the same with a change and a failure}
   *
   * @param newChange what changes between presetup and stop; {@link Change#NONE} for nothing
   * @param newFailure what fails during the migration; {@link Failure#NONE} for nothing
   */
  public ScenarioOptions with(Change newChange, Failure newFailure) {
    return with(to -> {
      to.change = newChange;
      to.failure = newFailure;
    });
  }

  /** {@return the same with a real dpdk-testpmd as the back end} */
  public ScenarioOptions onDpdk() {
    return with(to -> to.backEnd = BackEndKind.DPDK);
  }

  /** {@return the same with packed rings} */
  public ScenarioOptions withPackedRings() {
    return with(to -> to.packed = true);
  }

  /** {@return the same with NICs that are behind an IOMMU} */
  public ScenarioOptions behindIommu() {
    return with(to -> to.iommu = true);
  }

  private ScenarioOptions with(Consumer<Draft> change) {
    var draft = new Draft();
    change.accept(draft);
    return draft.made();
  }

  /** The parts that an option can change. A part that is not set stays as it is. */
  private final class Draft {
    private int devices = devices();
    private int queuePairs = queuePairs();
    private long memoryBytes = memoryBytes();
    private BackEndProfile profile = profile();
    private HardwareModel hardware = hardware();
    private Personality personality = personality();
    private BackEndKind backEnd = backEnd();
    private boolean packed = packed();
    private boolean iommu = iommu();
    private Change change = change();
    private Failure failure = failure();

    private ScenarioOptions made() {
      return new ScenarioOptions(
          variant,
          devices,
          queuePairs,
          memoryBytes,
          profile,
          hardware,
          personality,
          backEnd,
          testpmd,
          packed,
          iommu,
          change,
          failure);
    }
  }
}
