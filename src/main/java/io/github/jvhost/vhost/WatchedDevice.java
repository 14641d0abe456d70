package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.io.Poller;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One device of a {@link BackEndWatch}: what is polled for it, and the thread that tries to connect
 * again while its back end is gone.
 */
final class WatchedDevice {
  private static final Logger log = LoggerFactory.getLogger(WatchedDevice.class);

  /** An attempt connects and makes one transition, which may take two minutes by default. */
  private static final Duration LONGEST_CANCEL = Duration.ofMinutes(3);

  private final VhostNet net;
  private final VhostNetWatch watch;
  private final ReconnectPolicy policy;
  private final BackEndWatch.Listener listener;

  // Used by the watch's thread.
  private WatchPoints points = WatchPoints.NONE;
  private int firstSlot;
  private int slots;

  // Guarded by the lock.
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private @Nullable Thread attempts;
  private boolean cancelled;
  private String lostBecause = "";

  /** Whether the device was lost once more while its thread was making attempts. */
  private boolean lostAgain;

  WatchedDevice(VhostNet net, ReconnectPolicy policy, BackEndWatch.Listener listener) {
    this.net = net;
    this.watch = net.watch();
    this.policy = policy;
    this.listener = listener;
  }

  VhostNet net() {
    return net;
  }

  /** Finds out what to poll; returns how many descriptors at most. */
  int prepare() {
    points = watch.presence().watchPoints();
    return 1 + points.readable().size();
  }

  /** A carrier without a descriptor of its own has err eventfds all the same. */
  void addTo(Poller poller) {
    slots = 0;
    if (points.connection() >= 0) {
      add(poller, points.connection(), points.events());
    }
    for (int number : points.readable()) {
      add(poller, number, Poller.IN);
    }
  }

  private void add(Poller poller, int number, int events) {
    int slot = poller.add(number, events);
    firstSlot = slots == 0 ? slot : firstSlot;
    slots++;
  }

  /** Handles what the poll found, and a loss that another thread has found. */
  void serve(Poller poller) {
    boolean found = false;
    for (int i = 0; i < slots; i++) {
      found |= poller.ready(firstSlot + i) != 0;
    }
    if (found || watch.somethingWaits()) {
      watch.attend();
    }
    VhostException why = takeLoss();
    if (why != null) {
      lost(why);
    }
  }

  /** The loss, if this watch has not ended: a later loss belongs to the next watch. */
  private @Nullable VhostException takeLoss() {
    lock.lock();
    try {
      return cancelled ? null : watch.presence().takeLoss();
    } finally {
      lock.unlock();
    }
  }

  private void lost(VhostException why) {
    log.info("{}: the back end is gone: {}", net.name(), why.getMessage());
    notifyListener(to -> to.lost(net, why));
    lock.lock();
    try {
      lostBecause = String.valueOf(why.getMessage());
      if (attempts != null) {
        lostAgain = true;
      } else if (!cancelled) {
        attempts =
            Thread.ofPlatform().name("jvhost-reconnect " + net.name()).daemon().start(this::retry);
      }
    } finally {
      lock.unlock();
    }
  }

  /** Calls the listener. If it throws, the attempts go on. */
  private void notifyListener(Consumer<BackEndWatch.Listener> event) {
    try {
      event.accept(listener);
    } catch (Throwable e) { // an Error of a listener must not end this thread
      log.warn("{}: the watch's listener failed", net.name(), e);
    }
  }

  private void retry() {
    boolean again;
    do {
      try {
        bringBack();
      } catch (Throwable e) { // later losses have to be handled too
        giveUp(new VhostException(net.name() + ": trying again: " + e, Recovery.GIVE_UP, e));
      }
      again = !ended();
    } while (again);
  }

  /** Makes attempts until the policy ends or there is a back end again. */
  private void bringBack() {
    VhostException last =
        new VhostException(net.name() + ": the policy is not to reconnect", Recovery.GIVE_UP);
    String logged = "";
    for (int attempt = 1; ; attempt++) {
      Optional<Duration> pause = policy.delayBefore(attempt);
      if (pause.isEmpty()) {
        giveUp(last);
        return;
      }
      if (!waited(pause.get()) || net.connected()) {
        return; // cancelled, or another thread has connected it
      }
      VhostException failure = attempt(attempt);
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
  private @Nullable VhostException attempt(int number) {
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
      watch.observation().attempted(event, number, whyLost(), failure);
      return failure;
    }
    log.info("{}: a back end again, attempt {}", net.name(), number);
    watch.observation().attempted(event, number, whyLost(), null);
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

  private String whyLost() {
    lock.lock();
    try {
      return lostBecause;
    } finally {
      lock.unlock();
    }
  }

  private void giveUp(VhostException why) {
    log.warn("{}: given up: {}", net.name(), why.getMessage());
    lock.lock();
    try {
      lostAgain = false; // a loss up to now is given up too
    } finally {
      lock.unlock();
    }
    watch.givenUp();
    notifyListener(to -> to.givenUp(net, why));
  }

  /** Whether the thread may end: not if the device was lost once more meanwhile. */
  private boolean ended() {
    lock.lock();
    try {
      if (lostAgain && !cancelled) {
        lostAgain = false;
        return false;
      }
      attempts = null;
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Waits for the pause; false if it was cancelled. */
  private boolean waited(Duration pause) {
    Deadline end = Deadline.after(pause);
    lock.lock();
    try {
      while (!cancelled && !end.expired()) {
        changed.await(end.remainingNanos(), TimeUnit.NANOSECONDS);
      }
      return !cancelled;
    } catch (InterruptedException e) {
      return false; // no other code knows this thread
    } finally {
      lock.unlock();
    }
  }

  /** Ends the attempts to connect again, and waits for one that is under way and for its thread. */
  void cancel() {
    Thread trying;
    lock.lock();
    try {
      cancelled = true;
      changed.signalAll();
      trying = attempts;
    } finally {
      lock.unlock();
    }
    if (trying == null || trying.equals(Thread.currentThread())) {
      return;
    }
    try {
      boolean _ = trying.join(LONGEST_CANCEL);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
