package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.migration.MigrationListener;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.PageSink;
import io.github.jvhost.migration.Phase;
import io.github.jvhost.migration.RamSource;
import io.github.jvhost.migration.SourceReport;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What an embedder may do wrong around one migration: run it twice, ask for its devices while they
 * are in between, or throw when the guest has moved already.
 */
@Timeout(60)
class OneMigrationTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** Both ends, whose migration is over when the test looks at them. */
  private record Ends(
      StillMigration m,
      MigrationSource source,
      MigrationDestination destination,
      SourceReport left,
      DestinationReport arrived) {
    VhostNet arrivedDevice() {
      return m.arrived();
    }
  }

  private interface Look {
    void at(Ends ends) throws Exception;
  }

  /** What a test does on the source's thread. */
  private record Embedder(MigrationListener listener, UnaryOperator<RamSource> ram) {
    static Embedder quiet() {
      return new Embedder(_ -> {}, UnaryOperator.identity());
    }

    Embedder listening(MigrationListener other) {
      return new Embedder(other, ram);
    }

    Embedder transferring(UnaryOperator<RamSource> other) {
      return new Embedder(listener, other);
    }
  }

  private void migrated(Embedder embedder, Look look) throws Exception {
    try (var m = new StillMigration(ledger)) {
      MigrationSource source =
          m.leaving(true)
              .ram(embedder.ram().apply(m.hosts().ram()))
              .listener(embedder.listener())
              .build();
      MigrationDestination destination =
          m.destination(new StillHosts.Vm(false), PresetupMode.IMPLICIT);
      var arriving = StillMigration.begun(destination);
      SourceReport left = source.run();
      look.at(new Ends(m, source, destination, left, arriving.get(30, TimeUnit.SECONDS)));
    }
  }

  @Test
  void theSourcesDevicesAreNotStartedBesideTheGuestThatHasMoved() throws Exception {
    AtomicReference<@Nullable VhostNet> device = new AtomicReference<>();
    List<Throwable> thrown = new ArrayList<>();
    MigrationListener listener =
        phase -> {
          if (phase == Phase.DONE) {
            thrown.add(accessed(device.get()));
          }
        };
    try (var m = new StillMigration(ledger)) {
      VhostNet left = m.left();
      device.set(left);
      var arriving = m.arrive(PresetupMode.OFF);
      m.departure(false, listener).run();
      assertThat(arriving.get(30, TimeUnit.SECONDS).starts()).hasSize(1);

      assertThat(thrown).singleElement().isInstanceOf(IllegalStateException.class);
      assertThat(thrown.getFirst()).hasMessageContaining("runs on another host");
      assertThatThrownBy(left::refresh).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(left::start).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(left::reconnect).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(left::announce).isInstanceOf(IllegalStateException.class);
      assertThat(left.running()).isFalse();
      left.restore(left.snapshot());
      left.start(); // whoever restores a state means it
      assertThat(left.running()).isTrue();
    }
  }

  /** A link that is closed, on this side, before anything can be received behind COMMIT. */
  private static MigrationListener closingBehindCommit(MigrationLink link) {
    return phase -> {
      if (phase == Phase.HAND_OVER) {
        link.close();
      }
    };
  }

  @Test
  void norBesideOneOfWhichNobodyKnowsWhetherItHasMoved() throws Exception {
    try (var m = new StillMigration(ledger)) {
      VhostNet left = m.left();
      var there = new StillHosts.Vm(false);
      var arriving = m.arrive(there, PresetupMode.OFF);
      MigrationSource source = m.departure(false, closingBehindCommit(m.link()));

      assertThatThrownBy(source::run)
          .isInstanceOf(MigrationException.class)
          .hasMessageContaining("it runs on the destination, or nowhere");

      arriving.get(30, TimeUnit.SECONDS);
      assertThat(there.runs()).isTrue();
      assertThat(accessed(left)).isInstanceOf(IllegalStateException.class);
      assertThat(left.running()).isFalse();
      left.restore(left.snapshot());
      left.start();
      assertThat(left.running()).isTrue();
    }
  }

  @Test
  void reportsArePrintedInALine() throws Exception {
    migrated(
        Embedder.quiet(),
        ends -> {
          assertThat(ends.left().toString()).startsWith("left: ").hasSizeLessThan(300);
          assertThat(ends.arrived().toString()).startsWith("arrived: ").hasSizeLessThan(300);
          assertThat(ends.left().stops().toString()).hasSizeLessThan(300);
          assertThat(ends.arrived().starts().toString()).hasSizeLessThan(500);
          assertThat(ends.arrived().presetups().toString()).hasSizeLessThan(300);
        });
  }

  @Test
  void theTimeThatPausingTakesIsPartOfTheDowntime() throws Exception {
    List<Long> asked = new ArrayList<>();
    try (var m = new StillMigration(ledger)) {
      VmControl vm =
          new VmControl() {
            @Override
            public void pause() {
              asked.add(System.nanoTime());
              m.hosts().sourceVm.pause();
            }

            @Override
            public void resume() {
              m.hosts().sourceVm.resume();
            }
          };
      var arriving = m.arrive(PresetupMode.OFF);
      SourceReport left = m.leaving(false).vm(vm).build().run();
      assertThat(arriving.get(30, TimeUnit.SECONDS).starts()).hasSize(1);

      assertThat(asked.getFirst()).isBetween(left.pausingNanos(), left.pausedNanos());
      assertThat(left.downtime().toNanos()).isEqualTo(left.runningNanos() - left.pausingNanos());
    }
  }

  @Test
  void neitherEndRunsTwice() throws Exception {
    migrated(
        Embedder.quiet(),
        ends -> {
          assertThatThrownBy(ends.source()::run)
              .isInstanceOf(IllegalStateException.class)
              .hasMessage("a MigrationSource is for one migration; build another");
          assertThatThrownBy(ends.destination()::run)
              .isInstanceOf(IllegalStateException.class)
              .hasMessage("a MigrationDestination is for one migration; build another");
          assertThatThrownBy(ends.source()::memoryAdded)
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("while the migration runs");

          assertThat(ends.arrivedDevice().running())
              .as("the guest's device is left alone")
              .isTrue();
          assertThat(ends.arrivedDevice().connected()).isTrue();
          assertThat(ends.m().hosts().sourceVm.runs()).isFalse();
        });
  }

  @Test
  void anotherThreadIsRefusedWhileTheFirstOneRuns() throws Exception {
    AtomicReference<@Nullable MigrationSource> source = new AtomicReference<>();
    List<Throwable> refused = new ArrayList<>();
    MigrationListener listener =
        phase -> {
          MigrationSource running = source.get();
          if (phase == Phase.ITERATE && running != null) {
            refused.add(thrownElsewhere(running::run));
            refused.add(thrownElsewhere(running::memoryAdded));
          }
        };
    goesWell(source, listener);
    assertThat(refused).hasSize(2).allMatch(e -> e instanceof IllegalStateException);
  }

  /** A migration whose listener knows its source. */
  private void goesWell(
      AtomicReference<@Nullable MigrationSource> source, MigrationListener listener)
      throws Exception {
    try (var m = new StillMigration(ledger)) {
      MigrationSource leaving = m.departure(false, listener);
      source.set(leaving);
      var arriving = m.arrive(PresetupMode.OFF);
      leaving.run();
      assertThat(arriving.get(30, TimeUnit.SECONDS).starts()).hasSize(1);
    }
  }

  private static Throwable thrownElsewhere(Runnable work) {
    FutureTask<Throwable> task =
        new FutureTask<>(() -> {
          try {
            work.run();
          } catch (RuntimeException e) {
            return e;
          }
          return new AssertionError("nothing was thrown");
        });
    Thread.ofPlatform().daemon().start(task);
    try {
      return task.get(20, TimeUnit.SECONDS);
    } catch (Exception e) {
      return e;
    }
  }

  @Test
  void aDestinationWhoseDeviceRunsIsRefusedAndTheDeviceRunsOn() throws Exception {
    try (var directory = SocketDirectory.create();
        var hosts = new StillHosts(directory.path(), ledger);
        var links = Links.connect(directory.path().resolve("m"))) {
      VhostNet running = hosts.source.devices().getFirst();

      MigrationDestination destination =
          StillHosts.arriving(
              List.of(running),
              hosts.source,
              hosts.sourceVm,
              links.destination(),
              PresetupMode.IMPLICIT);

      assertThatThrownBy(destination::run)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining(running.name() + " runs already");
      assertThat(running.running()).isTrue();
      assertThat(running.connected()).isTrue();
    }
  }

  @Test
  void eachDeviceIsThereOnce() throws Exception {
    try (var directory = SocketDirectory.create();
        var hosts = new StillHosts(directory.path(), ledger)) {
      VhostNet device = hosts.source.devices().getFirst();
      List<VhostNet> twice = List.of(device, device);
      var source = MigrationSource.builder(ledger);
      var destination = MigrationDestination.builder();

      assertThatThrownBy(() -> source.devices(twice))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("two devices that are called " + device.name());
      assertThatThrownBy(() -> destination.devices(twice))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void theThreadThatStartsADeviceDoesNotWaitForItself() throws Exception {
    AtomicReference<@Nullable VhostNet> device = new AtomicReference<>();
    List<Throwable> thrown = new ArrayList<>();
    VmControl vm =
        new VmControl() {
          @Override
          public void pause() {
            throw new IllegalStateException("it does not run here");
          }

          @Override
          public void resume() {
            thrown.add(accessed(device.get()));
          }
        };
    try (var m = new StillMigration(ledger)) {
      device.set(m.arrived());
      MigrationDestination destination = m.destination(vm, PresetupMode.IMPLICIT);
      var arriving = StillMigration.begun(destination);
      m.leaving(true).build().run();

      DestinationReport arrived = arriving.get(30, TimeUnit.SECONDS);

      assertThat(thrown).singleElement().isInstanceOf(IllegalStateException.class);
      assertThat(thrown.getFirst())
          .hasMessageContaining("net0: this thread carries out a transition")
          .hasMessageContaining("when run() has returned");
      assertThat(arrived.starts()).allMatch(start -> start.running());
      m.arrived().access(() -> {}); // now it may
    }
  }

  @Test
  void noneOfTheSourcesDevicesIsTouchedAtTheHandOver() throws Exception {
    AtomicReference<@Nullable VhostNet> device = new AtomicReference<>();
    List<Throwable> thrown = new ArrayList<>();
    try (var m = new StillMigration(ledger)) {
      device.set(m.left());
      var arriving = m.arrive(PresetupMode.IMPLICIT);
      m.departure(
              true,
              phase -> {
                if (phase == Phase.HAND_OVER) {
                  thrown.add(accessed(device.get()));
                }
              })
          .run();
      assertThat(arriving.get(30, TimeUnit.SECONDS).starts()).hasSize(1);
      assertThat(m.left().running()).isFalse();
    }
    assertThat(thrown).singleElement().isInstanceOf(IllegalStateException.class);
  }

  private static Throwable accessed(@Nullable VhostNet device) {
    try {
      if (device != null) {
        device.access(() -> {});
      }
    } catch (RuntimeException e) {
      return e;
    }
    return new AssertionError("nothing was thrown");
  }

  @ParameterizedTest
  @EnumSource(
      value = Phase.class,
      names = {"HAND_OVER", "DONE"})
  void whatAListenerThrowsWhenAllIsHandedOverChangesNothing(Phase at) throws Exception {
    MigrationListener listener =
        phase -> {
          if (phase == at) {
            throw new IllegalStateException("a listener that fails");
          }
        };

    migrated(
        Embedder.quiet().listening(listener),
        ends -> {
          assertThat(ends.left().runningNanos()).isGreaterThan(ends.left().pausedNanos());
          assertThat(ends.left().stops()).hasSize(1);
          assertThat(ends.m().hosts().sourceVm.runs()).isFalse();
        });
  }

  @Test
  void memoryThatComesWhenAllIsHandedOverIsRefused() throws Exception {
    AtomicReference<@Nullable MigrationSource> source = new AtomicReference<>();
    List<Throwable> refused = new ArrayList<>();
    MigrationListener listener =
        phase -> {
          MigrationSource running = source.get();
          if (phase == Phase.DONE && running != null) {
            try {
              running.memoryAdded();
            } catch (IllegalStateException e) {
              refused.add(e);
            }
          }
        };
    goesWell(source, listener);
    assertThat(refused).hasSize(1);
    assertThat(refused.getFirst()).hasMessageContaining("comes too late");
  }

  @Test
  void aRamSourceThatCannotEndLeavesNothingOpen() throws Exception {
    List<CountedRam> made = new ArrayList<>();

    migrated(
        Embedder.quiet()
            .transferring(ram -> {
              made.add(new CountedRam(ram, true));
              return made.getFirst();
            }),
        ends -> assertThat(ends.left().stops()).hasSize(1));

    assertThat(made.getFirst().ended).isEqualTo(1);
  }

  @Test
  void whatWasNotBegunIsNotEnded() throws Exception {
    try (var directory = SocketDirectory.create();
        var hosts = new StillHosts(directory.path(), ledger)) {
      var ram = new CountedRam(hosts.ram(), false);
      var nobody = new ScriptedLink(new byte[0]);

      MigrationSource source = hosts.leaving(nobody, true).ram(ram).build();

      assertThatThrownBy(source::run)
          .isInstanceOf(MigrationException.class)
          .hasMessageContaining("the guest runs on, on the source");
      assertThat(ram.begun).isZero();
      assertThat(ram.ended).isZero();
    }
  }

  @Test
  void aGuestThatCannotGoOnIsSaidToStandStill() throws Exception {
    VmControl vm =
        new VmControl() {
          @Override
          public void pause() {
            throw new IllegalStateException("half paused");
          }

          @Override
          public void resume() {
            throw new IllegalStateException("and stuck");
          }
        };
    try (var m = new StillMigration(ledger)) {
      MigrationDestination destination = m.destination(new StillHosts.Vm(false), PresetupMode.OFF);
      var arriving = new FutureTask<>(() -> thrownElsewhere(destination::run));
      Thread.ofPlatform().daemon().start(arriving);

      MigrationSource source = m.leaving(false).vm(vm).build();

      assertThatThrownBy(source::run)
          .isInstanceOf(MigrationException.class)
          .hasMessageContaining("half paused")
          .hasMessageContaining("could not be resumed on the source: and stuck");
      assertThat(arriving.get(30, TimeUnit.SECONDS)).isInstanceOf(MigrationException.class);
    }
  }

  /** Counts its beginnings and ends, and may fail at the latter. */
  private static final class CountedRam implements RamSource {
    private final RamSource ram;
    private final boolean failsAtTheEnd;
    private int begun;
    private int ended;

    CountedRam(RamSource ram, boolean failsAtTheEnd) {
      this.ram = ram;
      this.failsAtTheEnd = failsAtTheEnd;
    }

    @Override
    public MemoryTable table() {
      return ram.table();
    }

    @Override
    public void begin() {
      begun++;
      ram.begin();
    }

    @Override
    public DirtyBitmap dirty() {
      return ram.dirty();
    }

    @Override
    public long sendDirty(PageSink sink) {
      return ram.sendDirty(sink);
    }

    @Override
    public void tableChanged() {
      ram.tableChanged();
    }

    @Override
    public void end() {
      ended++;
      ram.end();
      if (failsAtTheEnd) {
        throw new IllegalStateException("it does not end");
      }
    }
  }

  /** The destination hears of it in the very first message, like of all other memory. */
  @Test
  void memoryThatComesBeforeTheDestinationIsAskedGoesAlong() throws Exception {
    AtomicReference<@Nullable MigrationSource> source = new AtomicReference<>();
    List<Phase> grown = new ArrayList<>();
    MigrationListener listener =
        phase -> {
          MigrationSource running = source.get();
          if (phase == Phase.SETUP && running != null) {
            running.memoryAdded();
            grown.add(phase);
          }
        };
    goesWell(source, listener);
    assertThat(grown).containsExactly(Phase.SETUP);
  }
}
