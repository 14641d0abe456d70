package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.Poller;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches devices while no plan runs on them: it answers what their back ends ask, notices that a
 * back end has gone, and connects the device again as its {@link ReconnectPolicy} says. It has one
 * thread for all devices, and one more for each device whose back end is gone.
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
 * <p>Behind an IOMMU the one thread also carries out plans that answer waiting misses. While it
 * does that for one device, at most {@link VhostDeviceOptions#transitionWithin}, the others wait.
 * So a back end that may hang should not share a watch with devices that must not wait for it.
 *
 * <p>Thread-safe. While a plan is under way on a device, that plan does all this for the device.
 */
public final class BackEndWatch implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(BackEndWatch.class);
  private static final Duration LONGEST_CLOSE = Duration.ofSeconds(30);

  /** Longest wait. Every event wakes the watch, so this is only a precaution. */
  private static final long IDLE_NANOS = 1_000_000_000L;

  private final Listener listener;
  private final EventFd wakeUp;
  private final Thread thread;
  private final List<WatchedDevice> devices = new ArrayList<>();
  private boolean closed;

  /**
   * Is called when a device loses its back end and when it has one again. The watch's threads call
   * it, so it returns soon. An exception is logged, and the watch goes on.
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
    this.listener = listener;
    this.wakeUp = EventFd.create(ledger, "back-end watch wake-up");
    this.thread = Thread.ofPlatform().name("jvhost-watch").daemon().unstarted(this::run);
  }

  /**
   * Starts a watch that has no devices yet.
   *
   * @param ledger where its descriptor is recorded
   * @param listener is called for all its devices
   * @return the watch, which the caller closes
   */
  public static BackEndWatch start(DescriptorLedger ledger, Listener listener) {
    var watch = new BackEndWatch(ledger, listener);
    watch.thread.start();
    return watch;
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
    synchronized (this) {
      if (closed) {
        throw new IllegalStateException("the watch is closed");
      }
      for (WatchedDevice watched : devices) {
        if (watched.net() == net) {
          throw new IllegalStateException(net.name() + " is watched already");
        }
      }
      devices.add(new WatchedDevice(net, policy, listener));
    }
    net.watch().watchedBy(this::wake);
    wake();
  }

  /**
   * Ends the watch of a device. An attempt to connect it again is cancelled. This waits for an
   * attempt that is under way and for the listeners that it calls, at most three minutes, so do not
   * call it with a lock that such a listener takes.
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
      net.watch().watchedBy(null);
      found.cancel();
      wake();
    }
  }

  private synchronized void wake() {
    if (!closed) {
      wakeUp.signal();
    }
  }

  private synchronized @Nullable List<WatchedDevice> now() {
    return closed ? null : List.copyOf(devices);
  }

  private void run() {
    int room = 8;
    Poller poller = new Poller(room);
    try {
      for (List<WatchedDevice> all = now(); all != null; all = now()) {
        int needed = 1;
        for (WatchedDevice watched : all) {
          needed += watched.prepare();
        }
        if (needed > room) {
          poller.close();
          room = 2 * needed;
          poller = new Poller(room);
        }
        look(all, poller);
      }
    } finally {
      poller.close();
      wakeUp.close();
    }
  }

  private void look(List<WatchedDevice> all, Poller poller) {
    poller.clear();
    int wake = poller.add(wakeUp.descriptor().number(), Poller.IN);
    for (WatchedDevice watched : all) {
      watched.addTo(poller);
    }
    poller.await(IDLE_NANOS);
    if (poller.ready(wake) != 0) {
      wakeUp.drain();
    }
    for (WatchedDevice watched : all) {
      try {
        watched.serve(poller);
      } catch (Throwable e) { // a failure of one device must not stop the others
        log.warn("{}: while watching", watched.net().name(), e);
      }
    }
  }

  /** Ends the watch of all devices, which stay as they are. A second call does nothing. */
  @Override
  public void close() {
    List<WatchedDevice> all;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      all = List.copyOf(devices);
      devices.clear();
      wakeUp.signal();
    }
    for (WatchedDevice watched : all) {
      watched.net().watch().watchedBy(null);
      watched.cancel();
    }
    if (Thread.currentThread() == thread) {
      return; // called by a listener: the thread ends once it returns
    }
    try {
      thread.join(LONGEST_CLOSE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
