package io.github.jvhost.testkit.scenario;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.InPlaceTarget;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.MigrationOptions;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.PreCopySource;
import io.github.jvhost.migration.RamSource;
import io.github.jvhost.migration.SourceReport;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.guest.DmaMode;
import io.github.jvhost.testkit.guest.GuestSettings;
import io.github.jvhost.testkit.guest.TestGuest;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Migrates a running guest once and returns the result. It uses its own threads and a temporary
 * directory, and ends and removes them.
 */
public final class MigrationScenario {
  private static final Duration PATIENCE = Duration.ofSeconds(10);
  private static final Duration MIGRATION_PATIENCE = Duration.ofMinutes(2);

  private final ScenarioOptions options;
  private final ScenarioProgress progress;
  private final UnaryOperator<RamSource> ramOfSource;
  private final DescriptorLedger ledger = DescriptorLedger.counting();
  private volatile @Nullable BackEnds running;

  /**
   * Creates a scenario.
   *
   * @param options what to do
   * @param progress receives the progress
   */
  public MigrationScenario(ScenarioOptions options, ScenarioProgress progress) {
    this(options, progress, UnaryOperator.identity());
  }

  /**
   * Creates a scenario with another transfer of RAM, for tests that show what such a transfer must
   * not leave out.
   *
   * @param options what to do
   * @param progress receives the progress
   * @param ramOfSource wraps the source's RAM
   */
  public MigrationScenario(
      ScenarioOptions options, ScenarioProgress progress, UnaryOperator<RamSource> ramOfSource) {
    this.options = options;
    this.progress = progress;
    this.ramOfSource = ramOfSource;
  }

  /** {@return how many descriptors are open now; 0 after {@link #run} has returned} */
  public int openDescriptors() {
    return ledger.openCount();
  }

  /**
   * Runs the migration.
   *
   * @return the result
   * @throws VhostException when it could not be set up, or did not end with one running guest
   */
  public RunResult run() {
    Path directory = makeDirectory();
    // An interrupted demo must not leave sockets or files of a real back end.
    Thread atExit = new Thread(() -> leaveNothing(directory));
    Runtime.getRuntime().addShutdownHook(atExit);
    try {
      return run(directory);
    } finally {
      removeDirectory(directory);
      forget(atExit);
    }
  }

  private RunResult run(Path directory) {
    progress.at(options.variant(), "starting hosts and back ends");
    Dialect dialect = options.variant() == Variant.EXPLICIT ? Dialect.RFC_2023 : Dialect.UPSTREAM;
    try (var traffic = Traffic.of(options);
        BackEnds backEnds = backEnds(traffic, dialect, directory);
        Host source = new Host(options, backEnds, BackEnds.Side.SOURCE, dialect, ledger);
        Host target = new Host(options, backEnds, BackEnds.Side.DESTINATION, dialect, ledger);
        Links links = Links.connect(directory.resolve("migration"))) {
      GuestSettings settings =
          GuestSettings.of(traffic.peerMac(), traffic.peerIp(), Ipv4Address.of(10, 0, 0, 10))
              .withQueuePairs(options.queuePairs())
              .withDma(options.iommu() ? DmaMode.STATIC : DmaMode.GUEST_ADDRESSES);
      IotlbCount iotlb = options.iommu() ? new IotlbCount(source, target) : null;
      try (TestGuest guest =
              TestGuest.boot(source.memory(), source.nics(), settings, traffic.recorder());
          var arrival = new Arrival(target, traffic, iotlb)) {
        guest.start();
        traffic.mark();
        traffic.requireFlowing();
        traffic.pingGuest(guest); // only now the switch knows the guest's port
        traffic.requireFlowing();
        return new Attempt(traffic, backEnds, source, target, links, guest, arrival).run();
      }
    }
  }

  private BackEnds backEnds(Traffic traffic, Dialect dialect, Path directory) {
    BackEnds started =
        switch (options.backEnd()) {
          case MOCK -> new BackEnds.Mock(options, dialect, traffic.network(), directory, ledger);
          case DPDK -> new BackEnds.Dpdk(options, directory);
          case VHOST_NET -> new TapBackEnds(options, traffic.network(), ledger);
        };
    running = started;
    return started;
  }

  /** The destination's VM. It looks for its guest in memory when the guest has to run. */
  private static final class Arrival implements VmControl, AutoCloseable {
    private final Host host;
    private final Traffic traffic;
    private final @Nullable IotlbCount iotlb;
    private @Nullable TestGuest guest;

    Arrival(Host host, Traffic traffic, @Nullable IotlbCount iotlb) {
      this.host = host;
      this.traffic = traffic;
      this.iotlb = iotlb;
    }

    @Override
    public void pause() {
      throw new IllegalStateException("the guest does not run here yet");
    }

    @Override
    public void resume() {
      if (iotlb != null) {
        iotlb.windowEnds();
      }
      guest = TestGuest.attach(host.memory(), host.nics(), traffic.recorder());
      guest.start();
    }

    @Nullable TestGuest guest() {
      return guest;
    }

    @Override
    public void close() {
      if (guest != null) {
        guest.close();
      }
    }
  }

  /** One migration between two hosts that are set up. */
  private final class Attempt {
    private final Traffic traffic;
    private final BackEnds backEnds;
    private final Host source;
    private final Host target;
    private final Links links;
    private final TestGuest guest;
    private final Arrival arrival;
    private final Hooks hooks;

    Attempt(
        Traffic traffic,
        BackEnds backEnds,
        Host source,
        Host target,
        Links links,
        TestGuest guest,
        Arrival arrival) {
      this.traffic = traffic;
      this.backEnds = backEnds;
      this.source = source;
      this.target = target;
      this.links = links;
      this.guest = guest;
      this.arrival = arrival;
      this.hooks = new Hooks(options, progress, traffic, guest, source, target, backEnds);
    }

    RunResult run() {
      MigrationOptions how = migrationOptions();
      MigrationSource migration =
          MigrationSource.builder(ledger)
              .devices(source.devices())
              .ram(ramOfSource.apply(ramOfSource()))
              .vm(new Departure())
              .link(links.source())
              .options(how)
              .listener(hooks)
              .build();
      hooks.migration(migration);
      MigrationDestination destination =
          MigrationDestination.builder()
              .devices(target.devices())
              .ram(new InPlaceTarget(target.memory()))
              .vm(arrival)
              .link(links.destination())
              .presetup(options.variant().mode())
              .options(how)
              .listener(arrival.iotlb == null ? _ -> {} : arrival.iotlb)
              .build();
      traffic.mark();
      var watch = new Watch(System.nanoTime());
      CompletableFuture<DestinationReport> arriving = new CompletableFuture<>();
      Thread.ofPlatform()
          .name("migration destination")
          .daemon()
          .start(() -> complete(arriving, destination));
      SourceReport left = null;
      MigrationException stayed = null;
      try {
        left = migration.run();
      } catch (MigrationException e) {
        stayed = e;
      }
      DestinationReport arrived = join(arriving);
      return finish(left, arrived, stayed, watch);
    }

    private RamSource ramOfSource() {
      return new PreCopySource(
          source.memory(),
          Hooks.addedRegionAt(source.memory().table()) + Hooks.ADDED_BYTES,
          work -> guest.atSafePoint(work, Deadline.after(PATIENCE)));
    }

    private MigrationOptions migrationOptions() {
      MigrationOptions defaults = MigrationOptions.defaults();
      if (options.variant().mode() == PresetupMode.OFF) {
        return defaults.withoutEarly(options.variant().order());
      }
      return options.failure() == Failure.PRESETUP_LATE
          ? defaults.patience(Duration.ofMillis(300), Duration.ofMillis(200))
          : defaults.patience(Duration.ofSeconds(30), Duration.ofSeconds(1));
    }

    /** The source's VM. */
    private final class Departure implements VmControl {
      @Override
      public void pause() {
        guest.pause(Deadline.after(PATIENCE));
        traffic.mark();
        if (options.failure() == Failure.CANCEL_AFTER_STOP) {
          hooks.cancel("as asked, with the guest stopped");
        }
      }

      @Override
      public void resume() {
        guest.resume();
      }
    }

    private RunResult finish(
        @Nullable SourceReport left,
        @Nullable DestinationReport arrived,
        @Nullable MigrationException stayed,
        Watch watch) {
      TestGuest moved = arrival.guest();
      // A resumed guest runs only when its thread has noticed it.
      if (!Traffic.await(() -> guest.paused() == (moved != null), PATIENCE)) {
        throw new VhostException(
            "the migration ended with %s guest running: source %s, destination %s"
                .formatted(moved == null ? "no" : "more than one", stayed, arrived),
            Recovery.GIVE_UP);
      }
      TestGuest runner = moved == null ? guest : moved;
      progress.at(options.variant(), "waiting for the pings to recover");
      boolean recovered = traffic.awaitRecovered(PATIENCE);
      if (arrival.iotlb != null) {
        recovered &= traffic.awaitAnswers(IotlbCount.FRAMES, PATIENCE);
        arrival.iotlb.framesCame();
      }
      // If the pings did not recover in that time, a longer wait is of no use.
      traffic.drain(runner, backEnds::dropped, Duration.ofSeconds(recovered ? 3 : 1));
      var facts =
          new Facts(
              options,
              left,
              arrived,
              stayed,
              runner,
              traffic,
              backEnds,
              target,
              arrival.iotlb,
              watch);
      return facts.toResult(recovered, hooks.residentShare());
    }
  }

  private static void complete(
      CompletableFuture<DestinationReport> arriving, MigrationDestination destination) {
    try {
      arriving.complete(destination.run());
    } catch (RuntimeException e) {
      arriving.completeExceptionally(e);
    }
  }

  /** Returns the destination's report, or null if it gave up in an expected way. */
  private static @Nullable DestinationReport join(CompletableFuture<DestinationReport> arriving) {
    try {
      return arriving.orTimeout(MIGRATION_PATIENCE.toSeconds(), TimeUnit.SECONDS).join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof MigrationException) {
        return null;
      }
      if (e.getCause() instanceof TimeoutException) {
        throw new VhostException(
            "the destination did not end within " + MIGRATION_PATIENCE.toSeconds() + " s",
            Recovery.GIVE_UP);
      }
      throw e.getCause() instanceof RuntimeException r ? r : e;
    }
  }

  private void leaveNothing(Path directory) {
    switch (running) {
      case BackEnds.Dpdk testpmd -> testpmd.close();
      case TapBackEnds taps -> taps.close();
      case BackEnds.Mock _ -> {} // it ends with this process
      case null -> {}
    }
    removeDirectory(directory);
  }

  private static void forget(Thread atExit) {
    try {
      Runtime.getRuntime().removeShutdownHook(atExit);
    } catch (IllegalStateException e) {
      // The JVM is shutting down and runs the hook already.
    }
  }

  private static Path makeDirectory() {
    try {
      return Files.createTempDirectory("jvhost");
    } catch (IOException e) {
      throw new VhostException(
          "making a directory for sockets: " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  private static void removeDirectory(Path directory) {
    if (!Files.exists(directory)) {
      return;
    }
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException | UncheckedIOException e) {
      throw new VhostException(
          "removing " + directory + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }
}
