package io.github.jvhost.testkit.scenario;

import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.migration.MigrationListener;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.Phase;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.guest.TestGuest;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.MacAddress;
import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Makes the changes and failures of a scenario at the right moments of its migration. */
final class Hooks implements MigrationListener {
  /** The region that a change of memory adds. */
  static final String ADDED_REGION = "added";

  /** Its size: 32 MiB. */
  static final long ADDED_BYTES = 32L << 20;

  /** Regions begin at multiples of this: 1 GiB. */
  private static final long ADDED_ALIGNMENT = 1L << 30;

  private static final int ADDED_WORKING_SET = 16;
  private static final int CHANGED_MTU = 1400;
  private static final Duration GUEST_PATIENCE = Duration.ofSeconds(5);
  private static final Duration ARRIVAL_PATIENCE = Duration.ofSeconds(1);
  private static final MacAddress CHANGED_MAC = MacAddress.parse("52:54:00:ab:cd:ef");

  private final ScenarioOptions options;
  private final ScenarioProgress progress;
  private final Traffic traffic;
  private final TestGuest guest;
  private final Host source;
  private final Host target;
  private final BackEnds backEnds;
  private @Nullable MigrationSource migration;
  private boolean changed;
  private double residentShare;

  Hooks(
      ScenarioOptions options,
      ScenarioProgress progress,
      Traffic traffic,
      TestGuest guest,
      Host source,
      Host target,
      BackEnds backEnds) {
    this.options = options;
    this.progress = progress;
    this.traffic = traffic;
    this.guest = guest;
    this.source = source;
    this.target = target;
    this.backEnds = backEnds;
  }

  void migration(MigrationSource newMigration) {
    migration = newMigration;
  }

  private MigrationSource migration() {
    return Objects.requireNonNull(migration, "migration");
  }

  @Override
  public void phase(Phase phase) {
    progress.at(
        options.variant(),
        switch (phase) {
          case SETUP -> "setup";
          case ITERATE -> "copying memory while the guest runs";
          case STOP -> "stopping the guest";
          case HAND_OVER -> "starting on the destination";
          case DONE -> "running on the destination";
        });
    if (phase == Phase.SETUP) {
      armPresetupFault();
    }
    if (phase == Phase.SETUP && options.failure() == Failure.SOURCE_BACK_END_LOST) {
      arm(
          BackEnds.Side.SOURCE,
          Faults.none().at(FrontEndRequest.SET_LOG_BASE, 1, new Faults.Wrong.HangUpBefore()));
    }
    if (phase == Phase.SETUP && options.failure() == Failure.CANCEL_IN_SETUP) {
      migration().cancel("as asked, in setup");
    }
    if (phase == Phase.STOP) {
      // Wait until all sent pages have arrived: there may have been only one round.
      Traffic.await(() -> target.memory().residentPages() >= target.pages(), ARRIVAL_PATIENCE);
      residentShare = (double) target.memory().residentPages() / target.pages();
    }
    if (phase == Phase.STOP && options.failure() == Failure.BACK_END_LOST_IN_WINDOW) {
      // At the second message of the window the back end has received a part of the plan.
      arm(Faults.none().atMessage(2, new Faults.Wrong.HangUpBefore()));
    }
  }

  @Override
  public void round(int round, long pages, boolean presetupAnswered) {
    if (round == 0 && options.failure() == Failure.CANCEL_IN_ITERATE) {
      migration().cancel("as asked, while memory was copied");
    }
    boolean preset = presetupAnswered || options.variant().mode() == PresetupMode.OFF;
    if (preset && !changed) {
      changed = true;
      change();
    }
  }

  /**
   * Returns the share of the destination's memory that was resident just before the guest stopped,
   * 0 to 1.
   */
  double residentShare() {
    return residentShare;
  }

  /** Cancels from another thread than the migration's. */
  void cancel(String why) {
    migration().cancel(why);
  }

  private void armPresetupFault() {
    // The message in the middle of presetup whose failure has the most consequences.
    FrontEndRequest request =
        options.variant().mode() == PresetupMode.EXPLICIT
            ? FrontEndRequest.PRESETUP
            : FrontEndRequest.SET_MEM_TABLE;
    int occurrence = request == FrontEndRequest.PRESETUP ? 2 : 1;
    Faults.@Nullable Wrong wrong =
        switch (options.failure()) {
          case PRESETUP_REFUSED -> new Faults.Wrong.Refuse();
          case PRESETUP_LATE -> new Faults.Wrong.Delay(Duration.ofSeconds(2));
          case PRESETUP_DISCONNECT -> new Faults.Wrong.HangUpBefore();
          default -> null;
        };
    if (wrong != null && options.variant().mode() != PresetupMode.OFF) {
      arm(Faults.none().at(request, occurrence, wrong));
    }
  }

  private void arm(Faults faults) {
    arm(BackEnds.Side.DESTINATION, faults);
  }

  private void arm(BackEnds.Side side, Faults faults) {
    MockBackEnd backEnd = backEnds.mock(side, 0);
    if (backEnd != null) {
      backEnd.arm(faults);
    }
  }

  private void change() {
    Deadline deadline = Deadline.after(GUEST_PATIENCE);
    VhostNet device = source.devices().getFirst();
    switch (options.change()) {
      case NONE -> {}
      case QUEUE_PAIRS -> {
        guest.setQueuePairs(0, options.changedQueuePairs(), deadline);
        // The guest's answers in a ring that is disabled now are not sent.
        if (options.changedQueuePairs() < options.queuePairs()) {
          traffic.abandonPingsToGuest(0);
        }
      }
      case MTU -> device.access(() -> device.model().mtu(CHANGED_MTU));
      case MAC -> guest.setMac(0, CHANGED_MAC, deadline);
      case MEMORY -> addMemory(deadline);
      case RESET -> {
        guest.resetAndReinit(0, deadline);
        // The reset has discarded the frames in the rings, both ways. They do not count as lost.
        traffic.abandonPingsToGuest(0);
      }
    }
  }

  private void addMemory(Deadline deadline) {
    long at = addedRegionAt(source.memory().table());
    source.memory().addRegion(ADDED_REGION, at, ADDED_BYTES);
    migration().memoryAdded();
    guest.extendWorkingSet(at, ADDED_WORKING_SET, deadline);
  }

  /** Returns the address of the added region: the next boundary above all other regions. */
  static long addedRegionAt(MemoryTable table) {
    return (table.highestAddress() / ADDED_ALIGNMENT + 1) * ADDED_ALIGNMENT;
  }
}
