package io.github.jvhost.migration;

import io.github.jvhost.Recovery;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.StartResult;
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
 *
 * <p>One guest runs, also if something fails. What {@link #run} does then depends only on where the
 * guest is:
 *
 * <pre>
 *   the guest runs    from                         what is thrown then
 *   --------------    ----                         -----------------------
 *   at the source     the beginning                ABORT is sent, the devices are closed: the source runs on
 *   here              VmControl.resume returned    is logged
 * </pre>
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
  private final DestinationWindow window;

  private final AtomicBoolean begun = new AtomicBoolean();
  private final List<ReceivedRecord> early = new ArrayList<>();

  /** By device, if its back end at the source had a state of its own. */
  private final Map<String, BackEndStateReceiver> states = new LinkedHashMap<>();

  /** The phase into which the source's messages have moved this side: see {@link MessageTable}. */
  private Phase phaseNow = Phase.SETUP;

  private long finalAt;
  private long lastFinalAt;
  private long resumedAt;
  private boolean workerFinished;
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
            MessageTable.End.SOURCE,
            options);
    this.worker = new PresetupWorker(mode, this::answer);
    this.window = new DestinationWindow(List.copyOf(devices.values()), options.order(), clock);
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
     * Sets the devices; none if this is not called.
     *
     * @param newDevices connected to their back ends, with nothing sent yet; named as the source's
     *     are, each once
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
     * Sets how back ends are preset; {@link PresetupMode#OFF} if this is not called.
     *
     * @param newMode counts for all devices
     * @return this
     */
    public Builder presetup(PresetupMode newMode) {
      mode = Objects.requireNonNull(newMode, "presetup(...) of a migration: OFF for none");
      return this;
    }

    /**
     * Sets bounds and order; {@link MigrationOptions#defaults} if this is not called.
     *
     * @param newOptions the source's; the destination uses order, lateWithin, linkWithin and
     *     windowWithin
     * @return this
     */
    public Builder options(MigrationOptions newOptions) {
      options = Objects.requireNonNull(newOptions, "options(...) of a migration");
      return this;
    }

    /**
     * Sets what is called at each phase; nothing if this is not called.
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
     * @throws NullPointerException if RAM, VM or link was not given
     * @throws IllegalArgumentException if early records are sent, and linkWithin is shorter than
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
   * @throws MigrationException if the guest does not run here. ABORT was sent if possible. The
   *     devices are closed, because no message undoes presetup
   * @throws IllegalStateException if it was called before, since a destination is for one
   *     migration, or if a device runs already. Nothing was changed, and the source was sent
   *     nothing
   */
  public DestinationReport run() {
    if (!begun.compareAndSet(false, true)) {
      throw new IllegalStateException("a MigrationDestination is for one migration; build another");
    }
    for (VhostNet device : devices.values()) {
      if (device.running()) {
        throw new IllegalStateException(
            device.name()
                + " runs already; a migration arrives at devices that are connected, with nothing"
                + " sent yet");
      }
    }
    try {
      arrive();
    } catch (Throwable e) { // an Error, too: ABORT has to be sent
      settle("the recording", () -> clock.end(MigrationException.reason(e)));
      throw failed(e);
    }
    return runsHere();
  }

  /** All that comes before the guest runs here. */
  private void arrive() {
    enter(Phase.SETUP);
    hello();
    stream.send(new MigrationMessage.Ready());
    enter(Phase.ITERATE);
    receiveUntilCommit();
    start();
    vm.resume();
    resumedAt = System.nanoTime();
  }

  /** All that comes after that. */
  private DestinationReport runsHere() {
    settle("the recording", () -> clock.endPart("resume", resumedAt));
    settle("sending RUNNING", () -> stream.send(new MigrationMessage.Running()));
    List<StartResult> starts = new ArrayList<>();
    settle("taking up how the devices started", () -> starts.addAll(window.results()));
    int announced = 0;
    for (VhostNet device : devices.values()) {
      device.migration().serveWhatWaits();
    }
    for (VhostNet device : devices.values()) {
      announced += announced(device) ? 1 : 0;
    }
    settle("the listener", () -> enter(Phase.DONE));
    settle("the recording", () -> clock.end(null));
    release();
    return new DestinationReport(
        worker.results(),
        presetupAbandoned,
        endPresetupNanos,
        starts,
        finalAt,
        lastFinalAt,
        window.restoredAt(),
        window.startedAt(),
        resumedAt,
        worker.rehearsal(),
        announced);
  }

  private static void settle(String what, Runnable work) {
    Settled.run("destination: " + what, work);
  }

  /**
   * If announcing fails, the network learns later where the guest is. The migration does not fail.
   */
  private static boolean announced(VhostNet device) {
    boolean[] asked = new boolean[1];
    settle("announcing " + device.name(), () -> asked[0] = device.announce());
    return asked[0];
  }

  /** The devices are this thread's again. */
  private void release() {
    settle("ending presetup", this::finishPresetup);
    settle("closing the stop window", window::close);
  }

  /** ABORT is sent first. After COMMIT the source stays paused until ABORT arrives. */
  private MigrationException failed(Throwable cause) {
    String why = MigrationException.reason(cause);
    if (!(cause instanceof CancelledException)) {
      stream.trySend(new MigrationMessage.Abort(why));
    }
    release();
    devices.values().forEach(device -> settle("closing " + device.name(), device::close));
    return new MigrationException(
        why + "; the guest does not run on the destination", Recovery.RETRY, cause);
  }

  private void enter(Phase phase) {
    log.debug("destination: {}", phase);
    clock.enter(phase);
    listener.phase(phase);
  }

  // ---- before the hand-over ----

  private void hello() {
    // The table admits nothing else.
    requireTheSame((MigrationMessage.Hello) stream.receive(phaseNow));
    phaseNow = Phase.ITERATE;
  }

  private void requireTheSame(MigrationMessage.Hello hello) {
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
    MigrationMessage message;
    do {
      message = stream.receive(phaseNow);
      take(message);
    } while (!(message instanceof MigrationMessage.Commit));
  }

  private void take(MigrationMessage message) {
    switch (message) {
      case MigrationMessage.Pages(long guestAddress, int length) ->
          stream.receiveBytes(ram.writable(guestAddress, length));
      case MigrationMessage.Early(DeviceRecord content) -> early(received(content));
      case MigrationMessage.Translations(String device, List<Translation> told) ->
          known(device, "the translations").migration().expectTranslations(told);
      case MigrationMessage.EarlyEnd _ -> {
        if (!early.isEmpty()) {
          worker.preset(early);
        }
        early.clear();
      }
      case MigrationMessage.RegionAdded(MigrationMessage.Region region) ->
          ram.addRegion(region.name(), region.guestAddress(), region.size());
      case MigrationMessage.Stopping _ -> {
        phaseNow = Phase.STOP;
        enter(Phase.STOP);
        openWindow();
      }
      case MigrationMessage.BackEndState(String device, ByteBuffer chunk) -> state(device, chunk);
      case MigrationMessage.Final(DeviceRecord content) -> {
        ReceivedRecord last = received(content);
        finalCame();
        window.take(last.net(), last.decoded());
      }
      case MigrationMessage.Moved moved -> {
        VhostNet net = known(moved.device(), "moved rings");
        finalCame();
        window.take(net, moved.state(worker.early(moved.device())));
      }
      case MigrationMessage.Cancel(String why) -> throw new CancelledException(why);
      case MigrationMessage.Commit _ -> {}
      case MigrationMessage.Hello _,
          MigrationMessage.Ready _,
          MigrationMessage.Preset _,
          MigrationMessage.Running _,
          MigrationMessage.Abort _ ->
          throw new IllegalStateException("not from a source, or not now: " + message);
    }
  }

  private void state(String device, ByteBuffer chunk) {
    VhostNet net = known(device, "the state of the back end");
    states.computeIfAbsent(device, _ -> new BackEndStateReceiver(net)).take(chunk);
  }

  private VhostNet known(String device, String what) {
    VhostNet net = devices.get(device);
    if (net == null) {
      throw MigrationException.malformed("%s of an unknown device, %s".formatted(what, device));
    }
    return net;
  }

  /** What the window needs is made before the guest stops. */
  private void openWindow() {
    finishPresetup();
    window.open();
  }

  private void finalCame() {
    lastFinalAt = System.nanoTime();
    if (finalAt == 0) {
      finalAt = clock.enter(Phase.HAND_OVER, lastFinalAt);
      listener.phase(Phase.HAND_OVER);
    }
  }

  private ReceivedRecord received(DeviceRecord content) {
    return new ReceivedRecord(known(content.device(), "a record"), content);
  }

  private void early(ReceivedRecord received) {
    if (early.stream().anyMatch(other -> other.net() == received.net())) {
      throw MigrationException.malformed(
          "two early records of device " + received.content().device());
    }
    early.add(received);
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

  private void start() {
    window.requireAllFinals();
    openWindow(); // if STOPPING did not come
    window.start(states.values());
  }

  /** The source runs on, and does not wait for ABORT. */
  private static final class CancelledException extends MigrationException {
    private static final long serialVersionUID = 1L;

    CancelledException(String why) {
      super("the source gave the migration up: " + why, Recovery.RETRY, null);
    }
  }
}
