package io.github.jvhost.mediate;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.RecordsNothing;
import io.github.jvhost.vhost.VhostDevice;
import io.github.jvhost.vhost.VhostDeviceOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Connects to a switch on a thread of its own, again and again with a pause, because the NIC's
 * thread has to answer the front end meanwhile. One thread uses it; what is found is handed over by
 * the consumers, which are called on the other thread.
 */
final class SwitchSearch {
  private static final Duration FIRST_PAUSE = Duration.ofMillis(20);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(1);
  private static final Duration ENDING = Duration.ofSeconds(10);

  private final VhostDeviceOptions options;
  private final Consumer<VhostDevice> taker;
  private final Consumer<VhostException> failed;
  private Duration pause = FIRST_PAUSE;
  private Deadline next = Deadline.after(Duration.ZERO);
  private @Nullable AtomicBoolean wanted;

  /** Those of the attempts that may not have ended yet. */
  private final List<Thread> attempts = new ArrayList<>();

  /**
   * Makes a search that has not begun.
   *
   * @param taker takes the device over
   * @param failed is called with why an attempt failed
   */
  SwitchSearch(
      VhostDeviceOptions options, Consumer<VhostDevice> taker, Consumer<VhostException> failed) {
    this.options = options;
    this.taker = taker;
    this.failed = failed;
  }

  /** {@return how a switch of this NIC is reached} */
  static VhostDeviceOptions options(NicOptions nic, BackEndAddress where, DescriptorLedger ledger) {
    VhostDeviceOptions options =
        VhostDeviceOptions.of(nic.name(), where, nic.dialect(), nic.profile(), ledger)
            .withProtocolFeatures(Offer.TO_THE_SWITCH);
    return nic.name().equals(NicRehearsal.NAME)
        ? options.withObserver(RecordsNothing.OBSERVER)
        : options;
  }

  VhostDeviceOptions options() {
    return options;
  }

  /**
   * Asks the switch something on a connection of its own, and waits for the answer. A switch that
   * answers has seen the end of the connection before: DPDK serves all with one thread.
   *
   * @param within how long at most
   * @throws VhostException if it is not there, or does not answer
   */
  void ask(Duration within) {
    VhostDevice.connect(
            options.withBounds(within, options.presetupWithin(), options.transitionWithin()))
        .close();
  }

  /** {@return how long until the next attempt, in nanoseconds} */
  long nanosLeft() {
    return wanted == null ? next.remainingNanos() : Long.MAX_VALUE;
  }

  /** Begins an attempt if one is due and none is under way. */
  void attempt() {
    if (wanted != null || !next.expired()) {
      return;
    }
    var mine = new AtomicBoolean(true);
    wanted = mine;
    attempts.removeIf(attempt -> !attempt.isAlive());
    attempts.add(
        Thread.ofPlatform()
            .name("jvhost-search " + options.name())
            .daemon()
            .start(() -> attempt(mine)));
  }

  private void attempt(AtomicBoolean mine) {
    VhostDevice device;
    try {
      device = VhostDevice.connect(options);
    } catch (VhostException e) {
      if (mine.getAndSet(false)) {
        failed.accept(e);
      }
      return;
    }
    if (mine.getAndSet(false)) {
      taker.accept(device);
    } else {
      device.close();
    }
  }

  /**
   * The attempt has failed, or what it has found was of no use: the next one is made after a pause,
   * which grows until {@link #worked}.
   */
  void pause() {
    forget();
    next = Deadline.after(pause);
    Duration longer = pause.multipliedBy(2);
    pause = longer.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : longer;
  }

  /** A switch was found. A search for the next one begins after {@link #pause}. */
  void found() {
    wanted = null;
  }

  /** The switch that was found has done what it was asked: the next pause is short. */
  void worked() {
    pause = FIRST_PAUSE;
  }

  /** Forgets the attempt that is under way, if any. The next one can be made at once. */
  void restart() {
    forget();
    pause = FIRST_PAUSE;
    next = Deadline.after(Duration.ZERO);
  }

  private void forget() {
    if (wanted != null) {
      wanted.set(false);
      wanted = null;
    }
  }

  /**
   * Forgets the attempts that are under way, and waits for their end: what they have connected is
   * closed then. A switch that does not answer is waited for 10 s.
   */
  void close() {
    restart();
    boolean interrupted = false;
    Deadline deadline = Deadline.after(ENDING);
    for (Thread attempt : attempts) {
      while (attempt.isAlive() && !deadline.expired()) {
        try {
          attempt.join(Duration.ofNanos(Math.max(1, deadline.remainingNanos())));
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
