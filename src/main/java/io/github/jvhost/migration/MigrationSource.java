package io.github.jvhost.migration;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.DeviceStop;
import io.github.jvhost.vhost.Outcome;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vmstate.DeviceRecord;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The source of a migration: runs it from the first word to the hand-over, on the caller's thread.
 * Only {@link #cancel} and {@link #refreshEarlyState} may be called from other threads.
 */
public final class MigrationSource {
  private static final Logger log = LoggerFactory.getLogger(MigrationSource.class);

  /** How long an idle round waits for the destination before it looks at dirty pages again. */
  private static final Duration IDLE = Duration.ofMillis(2);

  private final List<VhostNet> devices;
  private final RamSource ram;
  private final VmControl vm;
  private final DescriptorLedger ledger;
  private final MigrationOptions options;
  private final MigrationListener listener;
  private final PhaseClock clock = new PhaseClock("source");
  private final MessageStream stream;
  private final PresetupAnswers answers;
  private final AtomicReference<@Nullable String> cancelled = new AtomicReference<>();
  private volatile boolean refreshWanted;

  private final List<Long> rounds = new ArrayList<>();

  /** Where pages go; one object for all rounds. */
  private final PageSink pages;

  /** The stop of the devices, from just before the guest is paused. */
  private @Nullable DeviceStop stopping;

  private @Nullable DirtyLog dirtyLog;
  private MemoryTable announced;
  private int generation;
  private boolean paused;
  private boolean committed;

  private MigrationSource(Builder builder) {
    this.devices = List.copyOf(builder.devices);
    this.ram = Objects.requireNonNull(builder.ram, "a migration's source needs ram(...)");
    this.vm = Objects.requireNonNull(builder.vm, "a migration's source needs vm(...)");
    this.ledger = builder.ledger;
    this.options = builder.options;
    this.listener = builder.listener;
    this.stream =
        new MessageStream(
            Objects.requireNonNull(builder.link, "a migration's source needs link(...)"),
            options.linkWithin());
    this.pages = stream::sendPages;
    this.answers = new PresetupAnswers(devices.stream().map(VhostNet::name).toList());
    this.announced = ram.table();
  }

  /**
   * {@return a builder that describes a migration}
   *
   * @param ledger that counts the descriptors of the dirty log
   */
  public static Builder builder(DescriptorLedger ledger) {
    return new Builder(ledger);
  }

  /** What a source is made of. RAM, VM and link are needed; there may be no device. */
  public static final class Builder {
    private final DescriptorLedger ledger;
    private List<VhostNet> devices = List.of();
    private @Nullable RamSource ram;
    private @Nullable VmControl vm;
    private @Nullable MigrationLink link;
    private MigrationOptions options = MigrationOptions.defaults();
    private MigrationListener listener = _ -> {};

    private Builder(DescriptorLedger ledger) {
      this.ledger = ledger;
    }

    /**
     * Sets the devices; none where this is not called.
     *
     * @param newDevices running; their names are what the destination finds its own by
     * @return this
     */
    public Builder devices(List<VhostNet> newDevices) {
      devices = newDevices;
      return this;
    }

    /**
     * Sets guest memory.
     *
     * @param newRam begun and ended by {@link MigrationSource#run}
     * @return this
     */
    public Builder ram(RamSource newRam) {
      ram = newRam;
      return this;
    }

    /**
     * Sets the VM.
     *
     * @param newVm paused for the hand-over, and resumed where that fails
     * @return this
     */
    public Builder vm(VmControl newVm) {
      vm = newVm;
      return this;
    }

    /**
     * Sets the connection to the destination.
     *
     * @param newLink stays the caller's to close
     * @return this
     */
    public Builder link(MigrationLink newLink) {
      link = newLink;
      return this;
    }

    /**
     * Sets bounds and order; {@link MigrationOptions#defaults} where nothing is said.
     *
     * @param newOptions of which the source needs all but lateWithin
     * @return this
     */
    public Builder options(MigrationOptions newOptions) {
      options = newOptions;
      return this;
    }

    /**
     * Sets who is told as it goes.
     *
     * @param newListener called on the thread of {@link MigrationSource#run}
     * @return this
     */
    public Builder listener(MigrationListener newListener) {
      listener = newListener;
      return this;
    }

    /** {@return the source, for one migration} */
    public MigrationSource build() {
      return new MigrationSource(this);
    }
  }

  /**
   * Gives the migration up as soon as possible; without effect once everything was handed over.
   *
   * @param why in a few words, for the messages on both sides; the first one counts
   */
  public void cancel(String why) {
    cancelled.compareAndSet(null, why);
  }

  /**
   * The guest has changed something that presetup has told already: early records are sent once
   * more, and the destination presets the difference. The guest is stopped when that was answered,
   * or after {@link MigrationOptions#presetupWithin} as ever. One that comes too late does no harm,
   * nor one that never comes: what was not told early is told in the stop window.
   */
  public void refreshEarlyState() {
    refreshWanted = true;
  }

  /**
   * The VM has got a region of memory during the migration: call it on the migration's own thread
   * (from the listener) instead of {@link VhostNet#refresh}. The dirty log grows first.
   */
  public void memoryAdded() {
    ram.tableChanged();
    growLog();
    for (MemoryRegion region : ram.table().regions()) {
      if (announced.region(region.name()).isEmpty()) {
        stream.send(new MigrationMessage.RegionAdded(region(region)));
      }
    }
    announced = ram.table();
  }

  private void growLog() {
    DirtyLog before = dirtyLog;
    if (before == null) {
      devices.forEach(VhostNet::refresh);
      return;
    }
    DirtyLog grown = DirtyLog.create(ledger, ram.table());
    dirtyLog = grown;
    try {
      devices.forEach(d -> d.migration().logTo(grown));
    } finally {
      before.collectInto(ram.dirty());
      before.close();
    }
  }

  /**
   * Migrates. When this returns, the guest runs on the destination.
   *
   * @return what was done, and when
   * @throws MigrationException it did not come to that; the message says who runs. Where it could,
   *     the source has its devices and its guest running again
   */
  public SourceReport run() {
    try {
      SourceReport report = migrate();
      clock.end(null);
      return report;
    } catch (RuntimeException e) {
      clock.end(String.valueOf(e.getMessage()));
      throw failed(e); // whatever it was, somebody has to run the guest
    } finally {
      endStop();
      ram.end();
      if (dirtyLog != null) {
        devices.forEach(d -> d.migration().forgetLog());
        dirtyLog.close();
        dirtyLog = null;
      }
    }
  }

  private SourceReport migrate() {
    enter(Phase.SETUP);
    hello();
    startLogging();
    if (options.early()) {
      sendEarly();
    }
    enter(Phase.ITERATE);
    boolean late = iterate();
    enter(Phase.STOP);
    FinalRecords records = new FinalRecords(devices, generation);
    DeviceStop stop = devices.isEmpty() ? null : new DeviceStop(devices, options.order());
    stopping = stop;
    stream.send(new MigrationMessage.Stopping());
    paused = true;
    vm.pause();
    long pausedAt = clock.endPart("pause");
    boolean right = records.stillRight();
    if (stop != null) {
      stop.stop();
    }
    long stoppedAt = clock.endPart("stop rings");
    if (stop != null) {
      stop.requirePositions(); // the final state says where rings go on, and must not guess
    }
    collectLog();
    long lastPages = ram.sendDirty(pages);
    handOver(right ? records.patched() : records.anew());
    long committedAt = clock.endPart("last pages and states");
    clock.enter(Phase.HAND_OVER, committedAt);
    listener.phase(Phase.HAND_OVER);
    awaitRunning();
    long runningAt = clock.enter(Phase.DONE);
    rounds.add(lastPages);
    List<Outcome> stops = stop == null ? List.of() : stop.outcomes();
    listener.phase(Phase.DONE);
    return new SourceReport(
        answers.notes(),
        late,
        stops,
        ram.table().totalBytes() / MemoryRegion.PAGE,
        List.copyOf(rounds),
        pausedAt,
        stoppedAt,
        committedAt,
        runningAt);
  }

  private void enter(Phase phase) {
    log.debug("source: {}", phase);
    clock.enter(phase);
    listener.phase(phase);
    checkCancelled();
  }

  private void checkCancelled() {
    String why = cancelled.get();
    if (why != null) {
      throw new MigrationException("cancelled: " + why, Recovery.RETRY, null);
    }
  }

  private void hello() {
    List<MigrationMessage.Region> regions =
        ram.table().regions().stream().map(MigrationSource::region).toList();
    List<String> names = devices.stream().map(VhostNet::name).toList();
    stream.send(new MigrationMessage.Hello(regions, names));
    if (!(receive() instanceof MigrationMessage.Ready)) {
      throw MigrationException.malformed("the destination did not say READY first");
    }
  }

  private static MigrationMessage.Region region(MemoryRegion region) {
    return new MigrationMessage.Region(region.name(), region.guestAddress(), region.size());
  }

  private void startLogging() {
    ram.begin();
    DirtyLog target = DirtyLog.create(ledger, ram.table());
    dirtyLog = target;
    devices.forEach(d -> d.migration().logTo(target));
  }

  private void collectLog() {
    if (dirtyLog != null) {
      dirtyLog.collectInto(ram.dirty());
    }
  }

  private void sendEarly() {
    generation++;
    for (VhostNet device : devices) {
      stream.send(early(device));
    }
    stream.send(new MigrationMessage.EarlyEnd(generation));
    answers.expect(generation);
  }

  private MigrationMessage early(VhostNet device) {
    byte[] body = VirtioNetVmState.encode(device.snapshot());
    return new MigrationMessage.Device(
        new DeviceRecord(device.name(), DeviceRecord.Kind.EARLY, generation, body));
  }

  /** Rounds until little is left and presetup was answered. Returns whether it was late. */
  private boolean iterate() {
    long presetupUntil = System.nanoTime() + options.presetupWithin().toNanos();
    long sent = 0;
    for (int round = 0; ; round++) {
      boolean answersSeen = answers.complete();
      listener.round(round, sent, answersSeen);
      checkCancelled();
      if (refreshWanted && options.early()) {
        refreshWanted = false;
        sendEarly();
        answersSeen = false; // those were of the state before
      }
      collectLog();
      long pagesSent = ram.sendDirty(pages);
      if (pagesSent > 0) {
        rounds.add(pagesSent);
      }
      sent += pagesSent;
      takeAnswers(pagesSent < options.stopPages() ? IDLE : Duration.ZERO);
      boolean late = System.nanoTime() > presetupUntil;
      collectLog();
      boolean little = ram.dirty().count() <= options.stopPages();
      // At least one round is left for those who want to change something after presetup.
      boolean ready = round > 0 && (answersSeen || late) && !refreshWanted;
      if (ready && (little || round >= options.maxRounds())) {
        return !answers.complete();
      }
    }
  }

  private void takeAnswers(Duration patience) {
    Duration wait = answers.complete() ? Duration.ZERO : patience;
    while (stream.awaitReadable(wait)) {
      switch (receive()) {
        case MigrationMessage.Preset preset -> answers.take(preset);
        case MigrationMessage other ->
            throw MigrationException.malformed("an unexpected " + other.getClass().getSimpleName());
      }
      wait = Duration.ZERO;
    }
  }

  /** The next message of the return path; ABORT becomes an exception at once. */
  private MigrationMessage receive() {
    MigrationMessage message = stream.receive();
    if (message instanceof MigrationMessage.Abort(String why)) {
      committed = false; // it says that it does not run the guest, so this side may
      throw new MigrationException("the destination gave up: " + why, Recovery.RETRY, null);
    }
    return message;
  }

  /**
   * The final records and COMMIT, in one piece: the destination wakes once for all of it. The
   * hand-over took place when the last byte was taken, and not before.
   */
  private void handOver(ByteBuffer all) {
    checkCancelled();
    try {
      stream.sendLast(all);
    } finally {
      committed = !all.hasRemaining();
    }
  }

  private void awaitRunning() {
    while (true) {
      switch (receive()) {
        case MigrationMessage.Running _ -> {
          return;
        }
        case MigrationMessage.Preset preset -> answers.take(preset);
        case MigrationMessage other ->
            throw MigrationException.malformed("an unexpected " + other.getClass().getSimpleName());
      }
    }
  }

  private MigrationException failed(RuntimeException cause) {
    endStop();
    if (committed) {
      return new MigrationException(
          "%s; everything had been handed over, so the guest stays stopped here: it runs on the destination, or nowhere"
              .formatted(cause.getMessage()),
          Recovery.GIVE_UP,
          cause);
    }
    try {
      stream.send(new MigrationMessage.Cancel(String.valueOf(cause.getMessage())));
    } catch (VhostException e) {
      log.debug("source: the destination could not be told: {}", e.getMessage());
    }
    List<String> down = runOn();
    return down.isEmpty()
        ? new MigrationException(
            cause.getMessage() + "; the guest runs on, on the source", Recovery.RETRY, cause)
        : new MigrationException(
            "%s; the guest runs on, on the source, but not all of its devices: %s"
                .formatted(cause.getMessage(), String.join("; ", down)),
            Recovery.RECONNECT,
            cause);
  }

  /** The devices can be used again, or closed. */
  private void endStop() {
    if (stopping != null) {
      stopping.close();
      stopping = null;
    }
  }

  /**
   * The guest goes on here, as if nothing had been; with what of its devices can be brought back.
   *
   * @return a line for each device that could not
   */
  private List<String> runOn() {
    List<String> down = new ArrayList<>();
    for (VhostNet device : devices) {
      try {
        device.migration().runOn();
      } catch (RuntimeException e) {
        down.add(String.valueOf(e.getMessage()));
      }
    }
    if (paused) {
      vm.resume();
    }
    return down;
  }
}
