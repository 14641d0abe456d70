package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.Poller;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One device of a {@link BackEndWatch}, and the thread that serves it. The thread attends to the
 * back end while there is one, and makes attempts to connect while there is none.
 */
final class WatchedDevice {
  private static final Logger log = LoggerFactory.getLogger(WatchedDevice.class);

  /** Longest wait. Every event wakes the thread, so this is only a precaution. */
  private static final long IDLE_NANOS = 60_000_000_000L;

  private final VhostNet net;
  private final VhostNetWatch watch;
  private final ReconnectPolicy policy;
  private final BackEndWatch.Listener listener;
  private final EventFd wakeUp;
  private final Thread thread;

  // Used by the thread.
  private int room = 8;
  private Poller poller = new Poller(room);

  // Guarded by this.
  private boolean cancelled;
  private boolean ended;

  /**
   * Makes a device whose thread is not started.
   *
   * @param wakeUp is closed when the thread ends
   */
  WatchedDevice(
      VhostNet net, ReconnectPolicy policy, BackEndWatch.Listener listener, EventFd wakeUp) {
    this.net = net;
    this.watch = net.watch();
    this.policy = policy;
    this.listener = listener;
    this.wakeUp = wakeUp;
    this.thread =
        Thread.ofPlatform().name("jvhost-watch " + net.name()).daemon().unstarted(this::run);
  }

  VhostNet net() {
    return net;
  }

  Thread thread() {
    return thread;
  }

  /** Starts the thread, which looks at the device at once, unless the watch has ended meanwhile. */
  void start() {
    synchronized (this) {
      if (!cancelled) {
        wakeUp.signal();
        thread.start();
        return;
      }
    }
    watch.unwatched();
    release();
  }

  /** For a device whose thread does not run, or is about to end. */
  private void release() {
    poller.close();
    synchronized (this) {
      ended = true;
      wakeUp.close();
    }
  }

  /** Makes the thread look at the device; returns at once. */
  synchronized void wake() {
    if (!ended) {
      wakeUp.signal();
    }
  }

  /** Ends the watch; the thread ends when it has done what it is doing. */
  void cancel() {
    watch.unwatched();
    synchronized (this) {
      cancelled = true;
    }
    wake();
  }

  private synchronized boolean isCancelled() {
    return cancelled;
  }

  private void run() {
    try {
      while (!isCancelled()) {
        boolean found = awaitEvent(watch.presence().watchPoints(), IDLE_NANOS);
        if (!isCancelled()) {
          serve(found);
        }
      }
    } finally {
      release();
    }
  }

  /** Waits until something happens or the time has passed; returns whether a point is ready. */
  private boolean awaitEvent(WatchPoints points, long nanos) {
    int needed = 2 + points.readable().size();
    if (needed > room) {
      poller.close();
      room = 2 * needed;
      poller = new Poller(room);
    }
    poller.clear();
    int wake = poller.add(wakeUp.descriptor().number(), Poller.IN);
    poller.add(points.connection(), points.events()); // may be -1, which is never ready
    for (int number : points.readable()) {
      poller.add(number, Poller.IN);
    }
    int ready = poller.await(nanos);
    if (poller.ready(wake) == 0) {
      return ready > 0;
    }
    wakeUp.drain();
    return ready > 1;
  }

  /** Handles what the poll found, and a loss that another thread has found. */
  private void serve(boolean found) {
    try {
      if (found || watch.somethingWaits()) {
        watch.attend();
      }
      VhostException why = takeLoss();
      if (why != null) {
        lost(why);
      }
    } catch (Throwable e) { // also an Error: it would end the watch of the device
      log.warn("{}: while watching", net.name(), e);
    }
  }

  /** The loss, if this watch has not ended: a later loss belongs to the next watch. */
  private synchronized @Nullable VhostException takeLoss() {
    return cancelled ? null : watch.presence().takeLoss();
  }

  private void lost(VhostException why) {
    log.info("{}: the back end is gone: {}", net.name(), why.getMessage());
    notifyListener(to -> to.lost(net, why));
    try {
      bringBack(String.valueOf(why.getMessage()));
    } catch (RuntimeException | Error e) { // a policy's
      giveUp(new VhostException(net.name() + ": trying again: " + e, Recovery.GIVE_UP, e));
    }
    wake(); // a pause may have taken the signal of something else
  }

  /** Calls the listener. If it throws, the attempts go on. */
  private void notifyListener(Consumer<BackEndWatch.Listener> event) {
    try {
      event.accept(listener);
    } catch (Throwable e) { // an Error of a listener must not end this thread
      log.warn("{}: the watch's listener failed", net.name(), e);
    }
  }

  /** Makes attempts until the policy ends or there is a back end again. */
  private void bringBack(String lostBecause) {
    VhostException last =
        new VhostException(net.name() + ": the policy is not to reconnect", Recovery.GIVE_UP);
    String logged = "";
    for (int attempt = 1; ; attempt++) {
      Optional<Duration> pause = policy.delayBefore(attempt);
      if (pause.isEmpty()) {
        giveUp(last);
        return;
      }
      if (!isStillLostAfter(pause.get())) {
        return;
      }
      VhostException failure = attempt(attempt, lostBecause);
      if (failure == null) {
        return;
      }
      if (failure.recovery() == Recovery.GIVE_UP) {
        giveUp(failure);
        return;
      }
      logged = logOnce(failure, logged);
      last = failure;
    }
  }

  /** Makes one attempt; null: there is a back end again, and the listener was called. */
  private @Nullable VhostException attempt(int number, String lostBecause) {
    ReconnectEvent event = watch.observation().attempt();
    boolean running;
    try {
      running = watch.recover(watch.openConnection());
    } catch (RuntimeException e) {
      VhostException failure =
          e instanceof VhostException known
              ? known
              : new VhostException(net.name() + ": trying again: " + e, Recovery.RETRY, e);
      log.debug("{}: attempt {}", net.name(), number, e);
      watch.observation().attempted(event, number, lostBecause, failure);
      return failure;
    }
    log.info("{}: a back end again, attempt {}", net.name(), number);
    watch.observation().attempted(event, number, lostBecause, null);
    notifyListener(to -> to.recovered(net, number, running));
    return null;
  }

  /**
   * Logs once, and not at each attempt, why a back end that is there cannot be used.
   *
   * @return what was logged last
   */
  private String logOnce(VhostException failure, String before) {
    String now = String.valueOf(failure.getMessage());
    if (failure.recovery() == Recovery.RECONNECT && !now.equals(before)) {
      log.warn("{}: {}; it is tried again", net.name(), now);
      return now;
    }
    return before;
  }

  private void giveUp(VhostException why) {
    if (isCancelled()) {
      return; // the device may have another watch by now
    }
    log.warn("{}: given up: {}", net.name(), why.getMessage());
    var _ = takeLoss(); // a loss up to now is given up too
    watch.givenUp();
    notifyListener(to -> to.givenUp(net, why));
  }

  /** Waits for the pause; false: it was cancelled, or another thread has connected the device. */
  private boolean isStillLostAfter(Duration pause) {
    Deadline end = Deadline.after(pause);
    while (!isCancelled() && !net.connected()) {
      if (end.expired()) {
        return true;
      }
      boolean _ = awaitEvent(WatchPoints.NONE, end.remainingNanos());
    }
    return false;
  }
}
