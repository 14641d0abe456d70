package io.github.jvhost.testkit.guest;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.MacAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A guest with NICs. It pings a host on each of them every period, answers pings and ARP, and keeps
 * changing a working set. All its state is in guest memory. To migrate it: {@link #pause}, copy the
 * memory, {@link #attach} to the copy, {@link #start} there, signal every call and kick once,
 * {@link #close} here.
 *
 * <p>Call eventfds and its clock wake it, as they wake a real driver. If a back end uses chains
 * without a signal, the guest does not see them before the next signal.
 *
 * <p>It runs on one thread of its own. Public methods may be called from any thread, but not from
 * within {@link DeviceAccess}.
 */
public final class TestGuest implements AutoCloseable {
  private static final int EXTRA_PAGES = 4096;

  private final BootBlock boot;
  private final List<NicDriver> drivers;
  private final List<GuestNic> nics;
  private final WorkingSet workingSet;
  private final ProblemLog problems;
  private final EventFd wake;
  private final Poller poller;
  private final List<Wire> wires = new ArrayList<>();
  private final GuestThread thread;
  private final AtomicLong commands = new AtomicLong();
  private long nextTick = System.nanoTime();

  /**
   * A call eventfd and the receive ring that it belongs to. Pair -1 is the control ring, which the
   * guest reads in each round.
   */
  private record Wire(NicDriver driver, int pair, EventFd call) {}

  private TestGuest(
      BootBlock boot,
      List<GuestNic> nics,
      List<NicDriver> drivers,
      WorkingSet workingSet,
      ProblemLog problems) {
    this.boot = boot;
    this.nics = List.copyOf(nics);
    this.drivers = drivers;
    this.workingSet = workingSet;
    this.problems = problems;
    for (int i = 0; i < nics.size(); i++) {
      GuestNic nic = nics.get(i);
      wires.add(new Wire(drivers.get(i), -1, nic.controlCall()));
      for (int pair = 0; pair < nic.device().maxQueuePairs(); pair++) {
        wires.add(new Wire(drivers.get(i), pair, nic.call(2 * pair)));
      }
    }
    wake = EventFd.create(nics.getFirst().controlCall().descriptor().ledger(), "guest wake-up");
    poller = new Poller(wires.size() + 1);
    poller.add(wake.descriptor().number(), Poller.IN);
    wires.forEach(wire -> poller.add(wire.call().descriptor().number(), Poller.IN));
    thread = new GuestThread("guest", this::round, wake);
    nics.forEach(nic -> nic.onWakeUp(wake::signal));
  }

  /**
   * Boots a guest: lays out its memory and drives each device up to DRIVER_OK. It does not run yet.
   * When it runs, it asks for more than one queue pair if the settings say so.
   *
   * @param memory stays the caller's, who keeps it until the guest is closed
   * @param nics its NICs, in order; none belongs to another guest
   * @param settings the guest's settings
   * @param recorder records its pings, for as many NICs as {@code nics}; may be shared
   * @return the guest, which the caller has to start and to close
   * @throws VhostException when memory is too small, or a device refuses its driver
   */
  public static TestGuest boot(
      GuestMemory memory, List<GuestNic> nics, GuestSettings settings, PingRecorder recorder) {
    requireRecorder(nics, recorder);
    BootBlock boot = BootBlock.create(memory, nics.size(), settings);
    int pages = settings.workingSetPages();
    WorkingSet set = WorkingSet.create(boot.ram(), pages, pages + EXTRA_PAGES);
    ProblemLog problems = new ProblemLog();
    List<NicDriver> drivers = new ArrayList<>();
    for (int i = 0; i < nics.size(); i++) {
      drivers.add(NicDriver.boot(boot, i, nics.get(i), recorder.nic(i), problems::add));
    }
    boot.complete(set.table());
    return new TestGuest(boot, nics, List.copyOf(drivers), set, problems);
  }

  /**
   * The same as {@link #attach(GuestMemory, long, List, PingRecorder)} for a guest at the default
   * address.
   *
   * @param memory stays the caller's, who keeps it until the guest is closed
   * @param nics its NICs, as many as it was booted with and in the same order
   * @param recorder records its pings, for as many NICs; usually the one with which it was booted
   * @return the guest, which the caller has to start and to close
   * @throws VhostException when there is no such guest
   */
  public static TestGuest attach(GuestMemory memory, List<GuestNic> nics, PingRecorder recorder) {
    return attach(memory, GuestSettings.DEFAULT_BASE, nics, recorder);
  }

  /**
   * Finds a guest in memory to which it was copied while it was paused. When started, it continues
   * where it was. This method writes nothing and accesses no device.
   *
   * @param memory stays the caller's, who keeps it until the guest is closed
   * @param base the address at which the guest was booted
   * @param nics its NICs, as many as it was booted with and in the same order
   * @param recorder records its pings, for as many NICs; usually the one with which it was booted
   * @return the guest, which the caller has to start and to close
   * @throws VhostException when there is no such guest
   */
  public static TestGuest attach(
      GuestMemory memory, long base, List<GuestNic> nics, PingRecorder recorder) {
    requireRecorder(nics, recorder);
    BootBlock boot = BootBlock.read(memory, base);
    if (boot.nics() != nics.size()) {
      throw boot.ram().failure(boot.nics() + " NICs in memory, " + nics.size() + " plugged in");
    }
    WorkingSet set = WorkingSet.attach(boot.ram(), boot.workingSet());
    ProblemLog problems = new ProblemLog();
    List<NicDriver> drivers = new ArrayList<>();
    for (int i = 0; i < nics.size(); i++) {
      drivers.add(NicDriver.attach(boot, i, nics.get(i), recorder.nic(i), problems::add));
    }
    return new TestGuest(boot, nics, List.copyOf(drivers), set, problems);
  }

  private static void requireRecorder(List<GuestNic> nics, PingRecorder recorder) {
    if (nics.isEmpty() || nics.size() != recorder.nics()) {
      throw new IllegalArgumentException(
          nics.size() + " NICs, and a recorder for " + recorder.nics());
    }
  }

  /** Starts the guest. Can be called once. */
  public void start() {
    thread.start();
  }

  /**
   * Parks the guest at a safe point. After that it writes nothing, and all its state is in memory.
   * A guest that was not started counts as parked.
   *
   * @param deadline for reaching the safe point
   * @throws VhostException when it reached no safe point in time, in which case it goes on running;
   *     or when a failure had stopped it
   */
  public void pause(Deadline deadline) {
    thread.pause(deadline);
  }

  /** Resumes a paused guest. */
  public void resume() {
    thread.resume();
  }

  /**
   * {@return whether the guest does not run: not started, paused, closed or stopped by a failure}
   */
  public boolean paused() {
    return thread.parked();
  }

  /** Ends the guest. Waits at most five seconds. */
  @Override
  public void close() {
    close(Deadline.in(5, TimeUnit.SECONDS));
  }

  /**
   * Ends the guest. Its memory stays as it is. A second call does nothing.
   *
   * @param deadline for the end of its thread
   * @throws VhostException when its thread did not end in time; its wake-up is not freed then
   */
  public void close(Deadline deadline) {
    if (!wake.descriptor().isOpen()) {
      return;
    }
    thread.close(deadline);
    nics.forEach(nic -> nic.onWakeUp(() -> {}));
    wake.close();
    poller.close();
  }

  /**
   * Runs work while the guest writes nothing, for instance to start tracking its writes.
   *
   * @param work runs on the guest's thread, or on the calling thread if the guest does not run; its
   *     exceptions are passed on
   * @param deadline for reaching a safe point and for the work
   * @throws VhostException when that took too long, or a failure had stopped the guest
   */
  public void atSafePoint(Runnable work, Deadline deadline) {
    thread.atSafePoint(
        "waiting for the guest",
        () -> {
          work.run();
          return true;
        },
        deadline);
  }

  /**
   * Checks every page of the working set, at a safe point.
   *
   * @param deadline as for {@link #atSafePoint}
   * @return the result, which lists damaged pages; they cause no exception
   */
  public WorkingSetCheck verifyWorkingSet(Deadline deadline) {
    return thread.atSafePoint(
        "checking the working set", () -> workingSet.verify(boot.ticks()), deadline);
  }

  /**
   * Compares the frames in the mailboxes with their digests, at a safe point.
   *
   * @param deadline as for {@link #atSafePoint}
   * @return one line for each damaged frame
   */
  public List<String> verifyMailboxes(Deadline deadline) {
    return thread.atSafePoint(
        "checking the mailboxes",
        () -> {
          List<String> found = new ArrayList<>();
          drivers.forEach(driver -> driver.verifyMailboxes(found::add));
          return List.copyOf(found);
        },
        deadline);
  }

  /**
   * Starts or stops sending pings; everything else goes on. By default the guest sends.
   *
   * @param on whether the guest sends pings from now on
   * @param deadline as for {@link #atSafePoint}
   */
  public void sending(boolean on, Deadline deadline) {
    atSafePoint(() -> boot.sending(on), deadline);
  }

  /**
   * Adds pages to the working set that the guest does not use yet, for instance those of a new
   * region.
   *
   * @param gpa a multiple of 4096
   * @param pages at most 4,096 in all calls together
   * @param deadline as for {@link #atSafePoint}
   */
  public void extendWorkingSet(long gpa, int pages, Deadline deadline) {
    atSafePoint(() -> workingSet.extend(gpa, pages), deadline);
  }

  /**
   * Makes the driver use this many queue pairs, and waits until the device has acknowledged it. The
   * guest has to run.
   *
   * @param nic its number, from 0
   * @param pairs from 1 to the number that the device has
   * @param deadline for the acknowledgement
   * @throws VhostException when the device refuses, cannot do it, or does not answer in time
   */
  public void setQueuePairs(int nic, int pairs, Deadline deadline) {
    if (pairs < 1) {
      throw new IllegalArgumentException(pairs + " queue pairs");
    }
    if (queuePairs(nic) != pairs) {
      new ControlRequest(
              ControlQueue.Kind.SET_PAIRS, pairs, driver -> driver.block().wantedPairs(pairs))
          .perform(thread, drivers.get(nic), deadline);
    }
  }

  /**
   * Makes the driver change and announce a NIC's address, and waits until the device has
   * acknowledged the change. The guest has to run.
   *
   * @param nic its number, from 0
   * @param mac the new address; the one it has changes nothing
   * @param deadline for the acknowledgement
   * @throws VhostException when the device refuses, cannot do it, or does not answer in time
   */
  public void setMac(int nic, MacAddress mac, Deadline deadline) {
    if (!mac(nic).equals(mac)) {
      new ControlRequest(
              ControlQueue.Kind.SET_MAC, mac.value(), driver -> driver.block().wantedMac(mac))
          .perform(thread, drivers.get(nic), deadline);
    }
  }

  /**
   * Makes the driver give a command that changes nothing in the guest: filters, VLANs, offloads. It
   * waits until the device has answered. The guest has to run. A driver that resets its device, or
   * that another guest attaches to, does not give the command again.
   *
   * @param nic its number, from 0
   * @param command of a feature that the driver has negotiated; up to 992 bytes of data
   * @param deadline for the answer
   * @throws VhostException when the device refuses, has no control queue, or does not answer in
   *     time
   */
  public void command(int nic, ControlCommand command, Deadline deadline) {
    if (command.data().length > ControlQueue.MOST_DATA) {
      throw new IllegalArgumentException(command + " is too long for this guest");
    }
    long number = commands.incrementAndGet();
    new ControlRequest(ControlQueue.Kind.OTHER, number, driver -> driver.command(number, command))
        .perform(thread, drivers.get(nic), deadline);
  }

  /**
   * Makes the driver reset a device and start it again, with a new negotiation and empty rings at
   * other addresses. Pending pings are given up.
   *
   * @param nic its number, from 0
   * @param deadline as for {@link #atSafePoint}
   * @throws VhostException when the device refuses its driver, or this takes too long
   */
  public void resetAndReinit(int nic, Deadline deadline) {
    atSafePoint(drivers.get(nic)::resetAndReinitialise, deadline);
  }

  /** {@return how many NICs the guest has} */
  public int nicCount() {
    return drivers.size();
  }

  /**
   * {@return a NIC's IP address}
   *
   * @param nic its number, from 0
   */
  public Ipv4Address ip(int nic) {
    return drivers.get(nic).block().ip();
  }

  /**
   * {@return a NIC's MAC address as its driver uses it now}
   *
   * @param nic its number, from 0
   */
  public MacAddress mac(int nic) {
    return drivers.get(nic).block().mac();
  }

  /**
   * {@return how many queue pairs a NIC's driver uses now}
   *
   * @param nic its number, from 0
   */
  public int queuePairs(int nic) {
    return drivers.get(nic).block().pairs();
  }

  /** {@return how often the working set was changed since the guest booted} */
  public long ticks() {
    return boot.ticks();
  }

  /**
   * {@return how many echo and ARP requests this object answered on a NIC}
   *
   * @param nic its number, from 0
   */
  public long answeredEchoes(int nic) {
    return drivers.get(nic).answeredEchoes();
  }

  /**
   * {@return how often this object announced a NIC to the network}
   *
   * @param nic its number, from 0
   */
  public long announcements(int nic) {
    return drivers.get(nic).announcements();
  }

  /**
   * {@return the first hundred problems, one line each} Each damaged frame also counts in the
   * recorder.
   */
  public List<String> problems() {
    return problems.lines();
  }

  /**
   * One round of the guest's thread. Between two rounds all state is in memory and every kick was
   * signalled.
   */
  private void round() {
    long now = System.nanoTime();
    long period = boot.settings().period().toNanos();
    if (now - nextTick >= 0) {
      tick();
      // After a pause the guest does not send the missed pings in a burst.
      nextTick = now - nextTick > period ? now + period : nextTick + period;
    }
    for (int i = 0; i < drivers.size(); i++) {
      if (nics.get(i).takeConfigChanged()) {
        drivers.get(i).configChanged();
      }
      drivers.get(i).advance();
      drivers.get(i).kick();
    }
    if (poller.await(nextTick - System.nanoTime()) == 0) {
      return;
    }
    if (poller.ready(0) != 0) {
      wake.drain();
    }
    for (int i = 0; i < wires.size(); i++) {
      Wire wire = wires.get(i);
      if (poller.ready(i + 1) != 0) {
        // The call is drained first: a chain that is used after this signals it again.
        wire.call().drain();
        if (wire.pair() >= 0) {
          wire.driver().receive(wire.pair());
        }
      }
    }
    drivers.forEach(NicDriver::kick);
  }

  private void tick() {
    if (boot.sending()) {
      drivers.forEach(NicDriver::ping);
    }
    workingSet.change(boot.settings().changedPagesPerTick());
    boot.ticks(boot.ticks() + 1);
  }
}
