package io.github.jvhost.testkit.scenario;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.testkit.HardwareModel;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One migration to be run.
 *
 * @param variant how
 * @param devices NICs, 1 to 16
 * @param queuePairs of each NIC, 1 to 8
 * @param memoryBytes of the guest, 16 MiB or more, whole MiB
 * @param profile what the front end knows of its back ends
 * @param hardware what configuring the mock back end costs (modelled)
 * @param personality of the mock back end
 * @param dpdk whether a real dpdk-testpmd is the back end instead of the mock
 * @param testpmd the program, where it is that; null: dpdk-testpmd, looked for along PATH
 * @param packed whether the guest uses packed rings
 * @param change between presetup and stop
 * @param failure on the way
 */
public record ScenarioOptions(
    Variant variant,
    int devices,
    int queuePairs,
    long memoryBytes,
    BackEndProfile profile,
    HardwareModel hardware,
    Personality personality,
    boolean dpdk,
    @Nullable Path testpmd,
    boolean packed,
    Change change,
    Failure failure) {
  private static final long MIB = 1 << 20;

  /** Checks the ranges. */
  public ScenarioOptions {
    check(devices >= 1 && devices <= 16, "devices: 1 to 16", devices);
    check(queuePairs >= 1 && queuePairs <= 8, "queue pairs: 1 to 8", queuePairs);
    check(
        memoryBytes >= 16 * MIB && memoryBytes % MIB == 0,
        "memory in bytes: whole MiB, 16 of them at least",
        memoryBytes);
    if (dpdk && (change == Change.QUEUE_PAIRS && queuePairs == 1)) {
      throw new VhostException("a change of queue pairs needs two of them", Recovery.GIVE_UP);
    }
    if (dpdk && failure != Failure.NONE && !failure.isCancel()) {
      throw new VhostException(
          "a real DPDK fails when it wants to: scripted failures are the mock's", Recovery.GIVE_UP);
    }
  }

  private static void check(boolean good, String rule, long value) {
    if (!good) {
      throw new VhostException(rule + ", not " + value, Recovery.GIVE_UP);
    }
  }

  /**
   * {@return a migration of two NICs of one queue pair and 64 MiB, the mock as the specification
   * has it, nothing modelled}
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
        false,
        null,
        false,
        Change.NONE,
        Failure.NONE);
  }

  /** The most queue pairs of the devices: one more than are used, where their number changes. */
  int maxQueuePairs() {
    return change == Change.QUEUE_PAIRS ? Math.max(2, queuePairs) : queuePairs;
  }

  /** The number of queue pairs after the change. */
  int changedQueuePairs() {
    return queuePairs == maxQueuePairs() ? queuePairs - 1 : maxQueuePairs();
  }

  /**
   * {@return the same with other parts}
   *
   * @param newHardware what configuring the mock back end costs (modelled); null: as before
   * @param newPersonality of the mock back end; null: as before
   * @param newProfile what the front end knows of its back ends; null: as before
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
   * @param newDevices NICs, 1 to 16
   * @param newQueuePairs of each NIC, 1 to 8
   * @param newMemoryBytes of the guest, 16 MiB or more, whole MiB
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
   * @param newChange between presetup and stop; {@link Change#NONE} for none
   * @param newFailure on the way; {@link Failure#NONE} for none
   */
  public ScenarioOptions with(Change newChange, Failure newFailure) {
    return with(to -> {
      to.change = newChange;
      to.failure = newFailure;
    });
  }

  /** {@return the same with a real dpdk-testpmd as the back end} */
  public ScenarioOptions onDpdk() {
    return with(to -> to.dpdk = true);
  }

  /** {@return the same with packed rings} */
  public ScenarioOptions withPackedRings() {
    return with(to -> to.packed = true);
  }

  private ScenarioOptions with(Consumer<Draft> change) {
    var draft = new Draft();
    change.accept(draft);
    return draft.made();
  }

  /** What an option changes of these: one line each. The others stay as they are. */
  private final class Draft {
    private int devices = devices();
    private int queuePairs = queuePairs();
    private long memoryBytes = memoryBytes();
    private BackEndProfile profile = profile();
    private HardwareModel hardware = hardware();
    private Personality personality = personality();
    private boolean dpdk = dpdk();
    private boolean packed = packed();
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
          dpdk,
          testpmd,
          packed,
          change,
          failure);
    }
  }
}
