package io.github.jvhost.migration;

import io.github.jvhost.Recovery;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.Outcome;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The source of a migration: runs it from HELLO to RUNNING, on the caller's thread. Only {@link
 * #cancel} and {@link #refreshEarlyState} may be called from other threads.
 *
 * <p>One guest runs, also if something fails. What {@link #run} does then depends only on where the
 * guest is:
 *
 * <pre>
 *   the guest             from                           what is thrown then
 *   ---------             ----                           -------------------
 *   RUNS_HERE             the beginning                  devices run on; CANCEL
 *   PAUSED                just before VmControl.pause    devices run on; VmControl.resume; CANCEL
 *   HANDED_OVER           COMMIT's last byte was sent    it stays paused here: it runs there, or nowhere
 *     to PAUSED           ABORT: it does not run there
 *   RUNS_AT_DESTINATION   RUNNING came                   is logged
 * </pre>
 */
public final class MigrationSource {
  private static final Logger log = LoggerFactory.getLogger(MigrationSource.class);

  /** How long an idle round waits for the destination before it looks at dirty pages again. */
  private static final Duration IDLE = Duration.ofMillis(2);

  private final List<VhostNet> devices;
  private final RamSource ram;
  private final VmControl vm;
  private final DirtyLogging logging;
  private final MigrationOptions options;
  private final MigrationListener listener;
  private final PhaseClock clock = new PhaseClock("source");
  private final MessageStream stream;
  private final PresetupAnswers answers;
  private final EarlyRecords early;
  private final AtomicReference<@Nullable String> cancelled = new AtomicReference<>();
  private final AtomicBoolean begun = new AtomicBoolean();
  private volatile boolean refreshWanted;

  /** The thread that is in {@link #run}; null: none is. */
  private volatile @Nullable Thread runner;

  private final List<Long> rounds = new ArrayList<>();

  /** Where pages go; one object for all rounds. */
  private final PageSink pages;

  /** The stop window, from just before the guest is paused. */
  private @Nullable SourceWindow window;

  /** The memory table that the destination was sent; null: none yet. */
  private @Nullable MemoryTable sentTable;

  private Guest guest = Guest.RUNS_HERE;

  /** Where the guest is: see above. */
  private enum Guest {
    RUNS_HERE,
    PAUSED,
    HANDED_OVER,
    RUNS_AT_DESTINATION
  }

  private MigrationSource(Builder builder) {
    this.devices = builder.devices;
    this.ram = Objects.requireNonNull(builder.ram, "a migration's source needs ram(...)");
    this.vm = Objects.requireNonNull(builder.vm, "a migration's source needs vm(...)");
    this.logging = new DirtyLogging(builder.ledger, ram, devices, builder.options.copiesStopped());
    this.options = builder.options.requireLinkOutlastsPresetup();
    this.listener = builder.listener;
    this.stream =
        new MessageStream(
            Objects.requireNonNull(builder.link, "a migration's source needs link(...)"),
            MessageTable.End.DESTINATION,
            options);
    this.pages = stream::sendPages;
    this.answers = new PresetupAnswers(devices.stream().map(VhostNet::name).toList());
    this.early = new EarlyRecords(devices, stream, answers);
  }

  /**
   * {@return a builder that describes a migration}
   *
   * @param ledger that counts the descriptors of the dirty log
   */
  public static Builder builder(DescriptorLedger ledger) {
    return new Builder(
        Objects.requireNonNull(ledger, "builder(...) of a migration's source needs a ledger"));
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
     * Sets the devices; none if this is not called.
     *
     * @param newDevices running, each once; the destination's have the same names
     * @return this
     * @throws IllegalArgumentException if two of them have the same name
     */
    public Builder devices(List<VhostNet> newDevices) {
      devices = MigratedDevices.eachOnce(newDevices);
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
     * @param newVm paused for the hand-over, and resumed if that fails
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
     * Sets bounds and order; {@link MigrationOptions#defaults} if this is not called.
     *
     * @param newOptions the destination's; the source uses all of them but lateWithin
     * @return this
     */
    public Builder options(MigrationOptions newOptions) {
      options = Objects.requireNonNull(newOptions, "options(...) of a migration");
      return this;
    }

    /**
     * Sets what is called at each phase and round; nothing if this is not called.
     *
     * @param newListener called on the thread of {@link MigrationSource#run}
     * @return this
     */
    public Builder listener(MigrationListener newListener) {
      listener = Objects.requireNonNull(newListener, "listener(...) of a migration");
      return this;
    }

    /**
     * {@return the source, for one migration}
     *
     * @throws NullPointerException if RAM, VM or link was not given
     * @throws IllegalArgumentException if early records are sent, and linkWithin is shorter than
     *     presetupWithin
     */
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
    cancelled.compareAndSet(
        null, Objects.requireNonNull(why, "cancel(...) of a migration needs a reason"));
  }

  /**
   * Call this when the guest changed something that was preset. Early records are sent again, and
   * the destination presets the difference. The guest is stopped when that was answered, or when
   * {@link MigrationOptions#presetupWithin} has passed since the first round. If this is late, or
   * is not called, the change is sent in the stop window. If the migration has {@linkplain
   * MigrationOptions#early no early records}, this does nothing.
   */
  public void refreshEarlyState() {
    refreshWanted = options.early(); // without early records there is no answer to wait for
  }

  /**
   * The VM has got a region of memory during the migration: call it on the migration's own thread
   * (from the listener) instead of {@link VhostNet#refresh}. The dirty log grows first. Until then
   * no thread may call a device: a plan with memory that the log does not cover is refused.
   *
   * @throws IllegalStateException if no migration runs on this thread, or everything was handed
   *     over
   */
  public void memoryAdded() {
    if (!Thread.currentThread().equals(runner)) {
      throw new IllegalStateException(
          "memoryAdded() is called while the migration runs, on its own thread: from its listener");
    }
    if (guest.compareTo(Guest.HANDED_OVER) >= 0) {
      throw new IllegalStateException(
          "memoryAdded() comes too late: everything was handed over to the destination");
    }
    ram.tableChanged();
    logging.grow();
    MemoryTable sent = sentTable;
    if (sent == null) {
      return; // HELLO will send it
    }
    for (MemoryRegion region : ram.table().regions()) {
      if (sent.region(region.name()).isEmpty()) {
        stream.send(new MigrationMessage.RegionAdded(region(region)));
      }
    }
    sentTable = ram.table();
  }

  /**
   * Migrates. When this returns, the guest runs on the destination.
   *
   * @return what was done, and when
   * @throws MigrationException if the guest was not seen to run on the destination. The message
   *     says where it runs. If it runs here, so do all devices that could be brought back
   * @throws IllegalStateException if it was called before: a source is for one migration
   */
  public SourceReport run() {
    if (!begun.compareAndSet(false, true)) {
      throw new IllegalStateException("a MigrationSource is for one migration; build another");
    }
    runner = Thread.currentThread();
    try {
      return migrate();
    } catch (Throwable e) { // an Error, too: one side has to run the guest
      settle("the recording", () -> clock.end(MigrationException.reason(e)));
      throw failed(e);
    } finally {
      endStop();
      logging.end();
      runner = null;
    }
  }

  private SourceReport migrate() {
    enter(Phase.SETUP);
    hello();
    logging.begin();
    if (options.early()) {
      early.send();
    }
    settle("the rehearsal of its stop", this::rehearse);
    enter(Phase.ITERATE);
    boolean late = iterate();
    enter(Phase.STOP);
    stream.send(new MigrationMessage.Stopping()); // first: it takes the destination as long
    SourceWindow stop = new SourceWindow(devices, options.order(), early.finalRecords());
    window = stop;
    long totalPages = ram.table().totalBytes() / MemoryRegion.PAGE;
    guestIs(Guest.PAUSED);
    long pausingAt = System.nanoTime();
    vm.pause();
    long pausedAt = clock.endPart("pause");
    if (options.early()) {
      early.sendLastTranslations();
    }
    stop.stop();
    long stoppedAt = clock.endPart("stop rings");
    stop.requireStopped();
    BackEndStateSender.sendAll(devices, stream);
    logging.collectLast();
    long lastPages = ram.sendDirty(pages);
    handOver(stop.records());
    // From COMMIT to ABORT or RUNNING nothing but the link may end the wait: ABORT would be missed.
    long committedAt = System.nanoTime();
    settle("the recording", () -> recordCommit(committedAt));
    settle("the listener", () -> listener.phase(Phase.HAND_OVER));
    awaitRunning();
    long runningAt = System.nanoTime();
    settle("the recording", () -> clock.enter(Phase.DONE, runningAt));
    rounds.add(lastPages);
    List<Outcome> stops = new ArrayList<>();
    giveUpDevices();
    settle("taking up how the devices stopped", () -> stops.addAll(stop.outcomes()));
    settle("the listener", () -> listener.phase(Phase.DONE));
    settle("the recording", () -> clock.end(null));
    return new SourceReport(
        answers.notes(),
        late,
        stops,
        totalPages,
        rounds,
        pausingAt,
        pausedAt,
        stoppedAt,
        committedAt,
        runningAt);
  }

  private void recordCommit(long committedAt) {
    clock.endPart("last pages and states", committedAt);
    clock.enter(Phase.HAND_OVER, committedAt);
  }

  private static void settle(String what, Runnable work) {
    Settled.run("source: " + what, work);
  }

  /** While the destination presets its back ends, which this has to wait for anyway. */
  private void rehearse() {
    SourceWindow.rehearse(devices, options.order(), early.finalRecordsOnceRead());
    BackEndStateSender.sendAll(List.of(), stream); // loads its code; a copy's back end has no state
  }

  /**
   * The guest is somewhere else from now on. Only these four calls change it:
   *
   * <pre>
   *   PAUSED                before VmControl.pause, which may stop the guest and then throw
   *   HANDED_OVER           when the link has taken COMMIT's last byte
   *   PAUSED                when ABORT comes after that
   *   RUNS_AT_DESTINATION   when RUNNING comes
   * </pre>
   */
  private void guestIs(Guest now) {
    guest = now;
  }

  /** Decides where the guest runs after a failure. Nothing else decides that. */
  private MigrationException failed(Throwable cause) {
    String why = MigrationException.reason(cause);
    return switch (guest) {
      case RUNS_HERE, PAUSED -> {
        endStop();
        // The guest first: it would have to wait for a destination that does not take CANCEL.
        MigrationException end =
            ResumeAtSource.after(cause, devices, guest == Guest.PAUSED ? vm : null);
        stream.trySend(new MigrationMessage.Cancel(why));
        yield end;
      }
      case HANDED_OVER, RUNS_AT_DESTINATION -> {
        giveUpDevices();
        endStop();
        yield new MigrationException(
            "%s; everything had been handed over, so the guest stays stopped here: it runs on the destination, or nowhere"
                .formatted(why),
            Recovery.GIVE_UP,
            cause);
      }
    };
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
    MemoryTable table = ram.table();
    List<MigrationMessage.Region> regions =
        table.regions().stream().map(MigrationSource::region).toList();
    List<String> names = devices.stream().map(VhostNet::name).toList();
    sentTable = table;
    stream.send(new MigrationMessage.Hello(regions, names));
    take(stream.receive(Phase.SETUP)); // READY or ABORT: the table admits nothing else
  }

  private static MigrationMessage.Region region(MemoryRegion region) {
    return new MigrationMessage.Region(region.name(), region.guestAddress(), region.size());
  }

  /** Makes rounds until little is left and presetup was answered. Returns whether it was late. */
  private boolean iterate() {
    long presetupUntil = System.nanoTime() + options.presetupWithin().toNanos();
    long sent = 0;
    boolean refreshedLast = false;
    for (int round = 0; ; round++) {
      // The listener sees the answers first, so it can still change a device before the stop.
      boolean answersSeen = answers.complete();
      listener.round(round, sent, answersSeen);
      checkCancelled();
      if (refreshWanted) {
        refreshWanted = false;
        early.send();
        answersSeen = false; // those were of the state before
      }
      logging.collect();
      long pagesSent = logging.isComplete() ? ram.sendDirty(pages) : 0;
      if (pagesSent > 0) {
        rounds.add(pagesSent);
      }
      sent += pagesSent;
      takeAnswers(pagesSent < options.stopPages() ? IDLE : Duration.ZERO);
      boolean late = System.nanoTime() > presetupUntil;
      logging.collect();
      boolean little = !logging.isComplete() || ram.dirty().count() <= options.stopPages();
      boolean ready = (answersSeen || late) && !refreshWanted;
      if (ready && (little || round + 1 >= options.maxRounds())) {
        if (!late && options.early() && !refreshedLast && early.translationsDiffer()) {
          refreshedLast = true;
          refreshWanted = true;
          continue;
        }
        return !answers.complete();
      }
    }
  }

  private void takeAnswers(Duration patience) {
    Duration wait = answers.complete() ? Duration.ZERO : patience;
    while (stream.awaitReadable(wait)) {
      take(stream.receive(Phase.ITERATE));
      wait = Duration.ZERO;
    }
  }

  /** Takes a message of the return path. */
  private void take(MigrationMessage message) {
    switch (message) {
      case MigrationMessage.Ready _ -> {}
      case MigrationMessage.Preset preset -> answers.take(preset);
      case MigrationMessage.Running _ -> guestIs(Guest.RUNS_AT_DESTINATION);
      case MigrationMessage.Abort(String why) -> {
        if (guest == Guest.HANDED_OVER) {
          guestIs(Guest.PAUSED);
        }
        throw new MigrationException("the destination gave up: " + why, Recovery.RETRY, null);
      }
      case MigrationMessage.Hello _,
          MigrationMessage.Early _,
          MigrationMessage.Translations _,
          MigrationMessage.EarlyEnd _,
          MigrationMessage.Pages _,
          MigrationMessage.RegionAdded _,
          MigrationMessage.Stopping _,
          MigrationMessage.BackEndState _,
          MigrationMessage.Final _,
          MigrationMessage.Moved _,
          MigrationMessage.Commit _,
          MigrationMessage.Cancel _ ->
          throw new IllegalStateException("not from a destination: " + message);
    }
  }

  /**
   * Sends the final records and COMMIT in one piece, so that the destination wakes once. They are
   * handed over when the link has taken the last byte, and not before.
   */
  private void handOver(ByteBuffer all) {
    checkCancelled();
    try {
      stream.send(all);
    } finally {
      if (!all.hasRemaining()) {
        guestIs(Guest.HANDED_OVER);
      }
    }
  }

  private void awaitRunning() {
    while (guest != Guest.RUNS_AT_DESTINATION) {
      take(stream.receive(Phase.HAND_OVER));
    }
  }

  /** The guest may run there, so a thread that waits for a device must not start it here. */
  private void giveUpDevices() {
    for (VhostNet device : devices) {
      settle("giving up " + device.name(), device.migration()::handedOver);
    }
  }

  /** The devices can be used again, or closed. */
  private void endStop() {
    SourceWindow stop = window;
    window = null;
    if (stop != null) {
      settle("ending the devices' stop", stop::close);
    }
  }
}
