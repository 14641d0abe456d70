package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Watches devices while no plan runs on them: it answers what their back ends ask, notices that a
 * back end has gone, and connects the device again as its {@link ReconnectPolicy} says.
 *
 * <pre>
 *   watched --(hang-up, a refusal)--&gt; lost: link down --(policy: pause, attempt)--&gt; watched
 *                                           |                    |
 *                                           +-- unwatch, close --+-- given up: link stays down
 * </pre>
 *
 * <p>A back end that came back but lacks what the device needs, or refuses, is tried again as the
 * policy says, like one that is not there, because the next one that listens may be another.
 *
 * <p>Each device has a thread of its own, so no device waits for another one's back end.
 *
 * <p>Thread-safe. While a plan is under way on a device, that plan does all this for the device.
 */
public final class BackEndWatch implements AutoCloseable {
  /** An attempt connects and makes one transition, which may take two minutes by default. */
  private static final Duration LONGEST_END = Duration.ofMinutes(3);

  private final DescriptorLedger ledger;
  private final Listener listener;
  private final List<WatchedDevice> devices = new ArrayList<>();

  /** The threads of the devices, and of those that were watched. They call the listener. */
  private final Set<Thread> threads = ConcurrentHashMap.newKeySet();

  private boolean closed;

  /**
   * Is called when a device loses its back end and when it has one again. The device's thread calls
   * it, so it returns soon, and may be called for several devices at once. An exception is logged,
   * and the watch goes on.
   */
  public interface Listener {
    /** An implementation that does nothing. */
    Listener NONE = new Listener() {};

    /**
     * The back end is gone, or its connection was closed because it refused what the device needs.
     * The guest sees its link down.
     *
     * @param net the device
     * @param why how the loss was noticed
     */
    default void lost(VhostNet net, VhostException why) {}

    /**
     * There is a back end again.
     *
     * @param net the device
     * @param attempts how many it took
     * @param running whether the device was started; a device without a driver is only connected
     */
    default void recovered(VhostNet net, int attempts, boolean running) {}

    /**
     * No more attempts are made, because the policy ends or because none can help. The link stays
     * down until the embedder calls {@link VhostNet#reconnect}. If the device has a connection and
     * only the positions of its packed rings are unknown, the link stays down until the driver
     * resets the device.
     *
     * @param net the device
     * @param why the last failure
     */
    default void givenUp(VhostNet net, VhostException why) {}
  }

  private BackEndWatch(DescriptorLedger ledger, Listener listener) {
    this.ledger = ledger;
    this.listener = listener;
  }

  /**
   * Starts a watch that has no devices yet.
   *
   * @param ledger where its descriptors are recorded, one for each device
   * @param listener is called for all its devices
   * @return the watch, which the caller closes
   */
  public static BackEndWatch start(DescriptorLedger ledger, Listener listener) {
    return new BackEndWatch(ledger, listener);
  }

  /**
   * Watches a device from now on.
   *
   * @param net the embedder keeps it, and unwatches it before closing it
   * @param policy when its back end is tried again
   * @throws IllegalStateException if it is watched already, or it or the watch is closed
   */
  public void watch(VhostNet net, ReconnectPolicy policy) {
    Objects.requireNonNull(net, "net");
    Objects.requireNonNull(policy, "policy");
    net.watch().requireOpen();
    WatchedDevice added;
    synchronized (this) {
      if (closed) {
        throw new IllegalStateException("the watch is closed");
      }
      for (WatchedDevice watched : devices) {
        if (watched.net() == net) {
          throw new IllegalStateException(net.name() + " is watched already");
        }
      }
      EventFd wakeUp = EventFd.create(ledger, net.name() + " watch wake-up");
      added = new WatchedDevice(net, policy, listener, wakeUp);
      devices.add(added);
      threads.removeIf(thread -> thread.getState() == Thread.State.TERMINATED);
      threads.add(added.thread());
    }
    boolean started = false;
    try {
      net.watch().watchedBy(added::wake);
      added.start();
      started = true;
    } finally {
      if (!started) {
        remove(added);
      }
    }
  }

  private void remove(WatchedDevice added) {
    synchronized (this) {
      devices.remove(added);
    }
    added.cancel();
    added.start(); // only releases what it has
  }

  /**
   * Ends the watch of a device. An attempt to connect it again is cancelled. This waits for what
   * the watch is doing with the device, listeners included, at most three minutes. So do not call
   * it with a lock that such a listener or {@code Iommu.translate} takes, nor from what is called
   * with the device's lock held ({@link VhostNet#access}, {@link VhostNet#read}, {@code
   * BackEndEvents}). If a listener of the watch calls it, or the caller is interrupted, it does not
   * wait.
   *
   * @param net stays as it is; a device that is not watched is ignored
   */
  public void unwatch(VhostNet net) {
    WatchedDevice found = null;
    synchronized (this) {
      for (WatchedDevice watched : devices) {
        found = watched.net() == net ? watched : found;
      }
      devices.remove(found);
    }
    if (found != null) {
      found.cancel();
      awaitEnd(Set.of(found.thread()));
    }
  }

  /**
   * Ends the watch of all devices, which stay as they are, as {@link #unwatch} does. A second call
   * does nothing.
   */
  @Override
  public void close() {
    List<WatchedDevice> all;
    synchronized (this) {
      closed = true;
      all = List.copyOf(devices);
      devices.clear();
    }
    all.forEach(WatchedDevice::cancel);
    awaitEnd(threads);
  }

  /** Two listeners that end each other's watch would wait for ever, so a listener does not wait. */
  private void awaitEnd(Set<Thread> ending) {
    if (threads.contains(Thread.currentThread())) {
      return;
    }
    Deadline deadline = Deadline.after(LONGEST_END);
    try {
      for (Thread thread : ending) {
        if (thread.isAlive()) {
          boolean _ = thread.join(Duration.ofNanos(deadline.remainingNanos()));
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
