package io.github.jvhost.migration;

import io.github.jvhost.Recovery;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.StartResult;
import io.github.jvhost.vhost.StopWindow;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vmstate.DeviceRecord;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The destination of a migration: receives it on the caller's thread, presets back ends meanwhile,
 * and has the guest running when it is done.
 */
public final class MigrationDestination {
  private static final Logger log = LoggerFactory.getLogger(MigrationDestination.class);

  private final Map<String, VhostNet> devices = new LinkedHashMap<>();
  private final RamTarget ram;
  private final VmControl vm;
  private final PresetupMode mode;
  private final MigrationOptions options;
  private final MigrationListener listener;
  private final PhaseClock clock = new PhaseClock("destination");
  private final MessageStream stream;
  private final PresetupWorker worker;

  private final AtomicBoolean begun = new AtomicBoolean();
  private final List<ReceivedRecord> early = new ArrayList<>();
  private final ArrivedFinals finals = new ArrivedFinals();

  /** By device, of those whose source's back end had a state of its own. */
  private final Map<String, ArrivedState> states = new LinkedHashMap<>();

  private long finalAt;
  private boolean workerFinished;

  /** Whether the source has said that its guest stops. */
  private boolean stopping;

  private @Nullable StopWindow window;
  private boolean presetupAbandoned;
  private long endPresetupNanos;

  private MigrationDestination(Builder builder) {
    for (VhostNet device : builder.devices) {
      devices.put(device.name(), device);
    }
    this.ram = Objects.requireNonNull(builder.ram, "a migration's destination needs ram(...)");
    this.vm = Objects.requireNonNull(builder.vm, "a migration's destination needs vm(...)");
    this.mode = builder.mode;
    this.options = builder.options.requireLinkOutlastsPresetup();
    this.listener = builder.listener;
    this.stream =
        new MessageStream(
            Objects.requireNonNull(builder.link, "a migration's destination needs link(...)"),
            options.linkWithin(),
            options.windowWithin());
    this.worker = new PresetupWorker(mode, this::answer);
  }

  /** {@return a builder that describes where a migration arrives} */
  public static Builder builder() {
    return new Builder();
  }

  /** What a destination is made of. RAM, VM and link are needed; there may be no device. */
  public static final class Builder {
    private List<VhostNet> devices = List.of();
    private @Nullable RamTarget ram;
    private @Nullable VmControl vm;
    private @Nullable MigrationLink link;
    private PresetupMode mode = PresetupMode.OFF;
    private MigrationOptions options = MigrationOptions.defaults();
    private MigrationListener listener = _ -> {};

    private Builder() {}

    /**
     * Sets the devices; none where this is not called.
     *
     * @param newDevices connected to their back ends and told nothing, named as the source's are,
     *     each once
     * @return this
     * @throws IllegalArgumentException two of them have the same name
     */
    public Builder devices(List<VhostNet> newDevices) {
      devices = MigratedDevices.eachOnce(newDevices);
      return this;
    }

    /**
     * Sets guest memory.
     *
     * @param newRam its mapping stays where it is from now on
     * @return this
     */
    public Builder ram(RamTarget newRam) {
      ram = newRam;
      return this;
    }

    /**
     * Sets the VM.
     *
     * @param newVm only its resume is called
     * @return this
     */
    public Builder vm(VmControl newVm) {
      vm = newVm;
      return this;
    }

    /**
     * Sets the connection to the source.
     *
     * @param newLink stays the caller's to close
     * @return this
     */
    public Builder link(MigrationLink newLink) {
      link = newLink;
      return this;
    }

    /**
     * Sets how back ends are set up early; {@link PresetupMode#OFF} where nothing is said.
     *
     * @param newMode counts for all devices
     * @return this
     */
    public Builder presetup(PresetupMode newMode) {
      mode = Objects.requireNonNull(newMode, "presetup(...) of a migration: OFF for none");
      return this;
    }

    /**
     * Sets bounds and order; {@link MigrationOptions#defaults} where nothing is said.
     *
     * @param newOptions as the source's; the destination goes by order, lateWithin, linkWithin and
     *     windowWithin
     * @return this
     */
    public Builder options(MigrationOptions newOptions) {
      options = Objects.requireNonNull(newOptions, "options(...) of a migration");
      return this;
    }

    /**
     * Sets who is told as it goes.
     *
     * @param newListener called on the thread of {@link MigrationDestination#run}
     * @return this
     */
    public Builder listener(MigrationListener newListener) {
      listener = Objects.requireNonNull(newListener, "listener(...) of a migration");
      return this;
    }

    /**
     * {@return the destination, for one migration}
     *
     * @throws NullPointerException RAM, VM or link was not given
     * @throws IllegalArgumentException early records are sent, and linkWithin is shorter than
     *     presetupWithin
     */
    public MigrationDestination build() {
      return new MigrationDestination(this);
    }
  }

  /**
   * Receives a migration. When this returns, the guest runs here.
   *
   * @return what was done, and when
   * @throws MigrationException it did not come to that: the guest does not run here, the source was
   *     told so where it could be, and the devices are disconnected, because their back ends may
   *     have been set up early and there is no message that undoes that
   * @throws IllegalStateException it was called before, since a destination is for one migration;
   *     or a device runs already. Nothing is touched, and the source hears nothing of it
   */
  public DestinationReport run() {
    if (!begun.compareAndSet(false, true)) {
      throw new IllegalStateException("a MigrationDestination is for one migration; build another");
    }
    for (VhostNet device : devices.values()) {
      if (device.running()) {
        throw new IllegalStateException(
            device.name()
                + " runs already; a migration arrives at devices that are connected and told"
                + " nothing");
      }
    }
    try {
      DestinationReport report = receive();
      release();
      return report;
    } catch (Throwable e) { // an Error, too: the source has to hear of it
      clock.end(String.valueOf(e.getMessage()));
      throw failed(e);
    }
  }

  private DestinationReport receive() {
    enter(Phase.SETUP);
    hello();
    stream.send(new MigrationMessage.Ready());
    enter(Phase.ITERATE);
    receiveUntilCommit();
    DestinationReport report = start();
    clock.end(null);
    return report;
  }

  /** The devices are this thread's again; with the guest running nothing of this may fail it. */
  private void release() {
    afterwards("ending presetup", this::finishPresetup);
    StopWindow opened = window;
    if (opened != null) {
      afterwards("closing the stop window", opened::close);
    }
  }

  private void enter(Phase phase) {
    log.debug("destination: {}", phase);
    clock.enter(phase);
    listener.phase(phase);
  }

  /** ABORT comes first: behind COMMIT nobody runs the guest until the source has heard it. */
  private MigrationException failed(Throwable cause) {
    String why = MigrationException.reason(cause);
    if (!(cause instanceof CancelledException)) {
      try {
        stream.send(new MigrationMessage.Abort(why));
      } catch (Throwable e) {
        log.debug("destination: the source could not be told: {}", e.toString());
      }
    }
    release();
    devices.values().forEach(device -> afterwards("closing " + device.name(), device::close));
    return new MigrationException(
        why + "; the guest does not run on the destination", Recovery.RETRY, cause);
  }

  // ---- before the hand-over ----

  private void hello() {
    if (!(stream.receive() instanceof MigrationMessage.Hello hello)) {
      throw MigrationException.malformed("the source did not say HELLO first");
    }
    Set<MigrationMessage.Region> here = new HashSet<>();
    for (MemoryRegion r : ram.table().regions()) {
      here.add(new MigrationMessage.Region(r.name(), r.guestAddress(), r.size()));
    }
    if (!here.equals(new HashSet<>(hello.regions()))) {
      throw MigrationException.malformed(
          "guest memory differs: the source has %s, the destination %s"
              .formatted(hello.regions(), here));
    }
    if (!new HashSet<>(hello.devices()).equals(devices.keySet())) {
      throw MigrationException.malformed(
          "the devices differ: the source has %s, the destination %s"
              .formatted(hello.devices(), devices.keySet()));
    }
  }

  private void receiveUntilCommit() {
    while (true) {
      MigrationMessage message = stream.receive();
      if (message instanceof MigrationMessage.Commit) {
        return;
      }
      take(message);
    }
  }

  private void take(MigrationMessage message) {
    switch (message) {
      case MigrationMessage.Pages(long guestAddress, int length) ->
          stream.receiveBytes(ram.writable(guestAddress, length));
      case MigrationMessage.Device(DeviceRecord content) -> record(content);
      case MigrationMessage.EarlyEnd _ -> {
        requireNotStopping("the end of early records");
        if (!early.isEmpty()) {
          worker.preset(early);
        }
        early.clear();
      }
      case MigrationMessage.RegionAdded(MigrationMessage.Region region) ->
          ram.addRegion(region.name(), region.guestAddress(), region.size());
      case MigrationMessage.Stopping _ -> {
        requireNotStopping("STOPPING");
        stopping = true;
        stream.otherSideIsInWindow();
        enter(Phase.STOP);
        prepareWindow();
      }
      case MigrationMessage.BackEndState(String device, ByteBuffer chunk) -> state(device, chunk);
      case MigrationMessage.Cancel(String why) -> throw new CancelledException(why);
      case MigrationMessage other ->
          throw MigrationException.malformed(
              "an unexpected " + other.getClass().getSimpleName() + " from the source");
    }
  }

  private void state(String device, ByteBuffer chunk) {
    VhostNet net = devices.get(device);
    if (net == null || !stopping) {
      throw MigrationException.malformed(
          "a back end's state, of %s, %s"
              .formatted(device, net == null ? "which is unknown" : "before STOPPING"));
    }
    states.computeIfAbsent(device, _ -> new ArrivedState(net)).take(chunk);
  }

  private void requireNotStopping(String what) {
    if (stopping) {
      throw MigrationException.malformed(what + " behind STOPPING");
    }
  }

  /** The guest stops any moment now: what the window needs is made before it opens. */
  private void prepareWindow() {
    finishPresetup();
    if (window == null && !devices.isEmpty()) {
      window = new StopWindow(List.copyOf(devices.values()), options.order());
    }
  }

  private void firstFinal() {
    if (finalAt == 0) {
      finalAt = clock.enter(Phase.HAND_OVER);
      listener.phase(Phase.HAND_OVER);
    }
  }

  private void record(DeviceRecord record) {
    VhostNet device = devices.get(record.device());
    if (device == null) {
      throw MigrationException.malformed("a record of an unknown device, " + record.device());
    }
    var received = new ReceivedRecord(device, record);
    switch (record.kind()) {
      case EARLY -> {
        requireNotStopping("an early record");
        if (early.stream().anyMatch(p -> p.net() == device)) {
          throw MigrationException.malformed("two early records of device " + record.device());
        }
        early.add(received);
      }
      case FINAL -> {
        firstFinal();
        finals.take(received, worker.body(record.device()));
      }
    }
  }

  private void answer(String device, PresetupResult result) {
    String note = result.note() == null ? "" : result.note();
    stream.send(new MigrationMessage.Preset(device, result.generation(), result.done(), note));
  }

  private void finishPresetup() {
    if (!workerFinished) {
      workerFinished = true;
      long from = System.nanoTime();
      presetupAbandoned = worker.finish(options.lateWithin());
      endPresetupNanos = System.nanoTime() - from;
    }
  }

  // ---- after it ----

  private DestinationReport start() {
    requireAllFinals();
    finishPresetup();
    boolean withStates = !states.isEmpty();
    if (withStates) {
      states.values().forEach(ArrivedState::load);
    }
    finals.restore();
    long restoredAt = clock.endPart("restore");
    StopWindow opened = window;
    if (opened != null) {
      opened.start();
    }
    if (withStates) {
      states.values().forEach(ArrivedState::requireHeld);
    }
    long startedAt = clock.endPart("start");
    vm.resume();
    long resumedAt = clock.endPart("resume");
    // The guest runs here from now on, and nobody may be told anything else whatever happens.
    afterwards(
        "telling the source that the guest runs here",
        () -> stream.send(new MigrationMessage.Running()));
    List<StartResult> starts = new ArrayList<>();
    afterwards(
        "taking up how the devices started",
        () -> starts.addAll(opened == null ? List.of() : opened.results()));
    devices.values().forEach(device -> device.migration().serveWhatWaits());
    int announced = announce(List.copyOf(devices.values()));
    afterwards("the listener", () -> enter(Phase.DONE));
    return new DestinationReport(
        worker.results(),
        presetupAbandoned,
        endPresetupNanos,
        starts,
        finalAt,
        restoredAt,
        startedAt,
        resumedAt,
        worker.rehearsal(),
        announced);
  }

  private void requireAllFinals() {
    int there = finals.count();
    if (there != devices.size()) {
      throw MigrationException.malformed(
          "handed over with %d final records for %d devices".formatted(there, devices.size()));
    }
    if (window == null) {
      prepareWindow(); // the source did not say that it stops
    }
  }

  /** What fails when it is decided where the guest runs changes nothing any more. */
  private static void afterwards(String what, Runnable work) {
    try {
      work.run();
    } catch (Throwable e) {
      log.warn("destination: {} failed: {}", what, e.toString());
    }
  }

  /** A network that was not told finds the guest late; that is no reason to have none. */
  private static int announce(List<VhostNet> devices) {
    int announced = 0;
    for (VhostNet device : devices) {
      try {
        announced += device.announce() ? 1 : 0;
      } catch (Throwable e) {
        log.warn("{}: could not be announced: {}", device.name(), e.getMessage());
      }
    }
    return announced;
  }

  /** The source runs on: there is nobody left to be told. */
  private static final class CancelledException extends MigrationException {
    private static final long serialVersionUID = 1L;

    CancelledException(String why) {
      super("the source gave the migration up: " + why, Recovery.RETRY, null);
    }
  }
}
