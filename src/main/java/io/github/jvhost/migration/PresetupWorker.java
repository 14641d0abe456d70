package io.github.jvhost.migration;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.VhostNetGroup;
import io.github.jvhost.vhost.VhostNetGroup.EarlyState;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.VirtioNetState;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Presets back ends on a thread of its own, one generation after the other, while the migration's
 * thread goes on receiving RAM. From {@link #finish} on the devices are the migration thread's
 * again.
 */
final class PresetupWorker {
  private static final Logger log = LoggerFactory.getLogger(PresetupWorker.class);

  private static final Duration CONNECTING_ANEW = Duration.ofSeconds(1);

  /** The early records of a generation that are to be preset; an empty list ends the thread. */
  private final BlockingQueue<List<ReceivedRecord>> wanted = new LinkedBlockingQueue<>();

  private final PresetupMode mode;
  private final Answer answer;
  private final AtomicBoolean ending = new AtomicBoolean();
  private final AtomicBoolean givenUp = new AtomicBoolean();
  private final Map<String, PresetupResult> newest = new HashMap<>();

  /** By device, the newest early record that could be read. */
  private final Map<String, KnownEarly> known = new HashMap<>();

  private RehearsalReport rehearsal = RehearsalReport.NONE;
  private final Thread thread;

  /** Sends each result to the source; called on the worker's thread. */
  @FunctionalInterface
  interface Answer {
    void result(String device, PresetupResult result);
  }

  PresetupWorker(PresetupMode mode, Answer answer) {
    this.mode = mode;
    this.answer = answer;
    this.thread = Thread.ofPlatform().name("jvhost-presetup").daemon().unstarted(this::work);
  }

  void preset(List<ReceivedRecord> records) {
    if (ending.get()) {
      throw new IllegalStateException("presetup is over");
    }
    wanted.add(List.copyOf(records));
    if (thread.getState() == Thread.State.NEW) {
      thread.start();
    }
  }

  private void work() {
    try {
      for (var records = wanted.take(); !records.isEmpty(); records = wanted.take()) {
        if (!givenUp.get()) {
          presetAndAnswer(records);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** An answer is sent in any case, because the source waits for it. */
  private void presetAndAnswer(List<ReceivedRecord> records) {
    try {
      List<ReceivedRecord> readable = new ArrayList<>(records.size());
      List<ReceivedRecord> preset = presetAll(records, readable);
      if (!preset.isEmpty()) {
        rehearse(mode, preset);
      } else if (!readable.isEmpty()) {
        rehearse(PresetupMode.OFF, readable); // the window sends everything
      }
    } catch (Throwable e) {
      for (ReceivedRecord part : records) {
        log.warn("{}: presetup ended early: {}", part.net().name(), e.toString());
        keepFirst(part, e.toString());
      }
    } finally {
      // Last: the source stops its guest on this answer, so the code must be warm by then.
      records.forEach(part -> sendResult(part.net().name()));
    }
  }

  /** One whole rehearsal is enough; another generation runs the same code. */
  private void rehearse(PresetupMode how, List<ReceivedRecord> records) {
    if (!Rehearsal.isWhole(rehearsal())) {
      RehearsalReport report = Rehearsal.run(how, records, ending::get);
      synchronized (newest) {
        rehearsal = report;
      }
    }
  }

  /**
   * Returns those that are preset now.
   *
   * @param readable is given those whose state could be read, preset or not
   */
  private List<ReceivedRecord> presetAll(
      List<ReceivedRecord> records, List<ReceivedRecord> readable) {
    List<EarlyState> read = new ArrayList<>(records.size());
    for (ReceivedRecord part : records) {
      try {
        VirtioNetState state = part.decoded();
        read.add(new EarlyState(part.net(), state, part.content().generation()));
        readable.add(part);
        synchronized (newest) {
          known.put(part.net().name(), KnownEarly.of(part.content(), state));
        }
      } catch (VhostException e) {
        // Only the final record has to be right.
        String why = String.valueOf(e.getMessage());
        keep(part, new PresetupResult(part.content().generation(), false, why, null, 0));
        part.net().migration().fellBack(why);
      }
    }
    List<PresetupResult> results = VhostNetGroup.presetupUnrehearsed(mode, read, givenUp::get);
    for (int i = 0; i < results.size(); i++) {
      keep(readable.get(i), results.get(i));
      if (results.get(i).done()) {
        readable.get(i).net().migration().prepareStart(read.get(i).state());
      }
    }
    return IntStream.range(0, results.size())
        .filter(i -> results.get(i).done())
        .mapToObj(readable::get)
        .toList();
  }

  private void keep(ReceivedRecord part, PresetupResult result) {
    synchronized (newest) {
      newest.put(part.net().name(), result);
    }
  }

  /** Keeps a result if there is none of this generation yet. */
  private void keepFirst(ReceivedRecord part, String why) {
    int generation = part.content().generation();
    synchronized (newest) {
      PresetupResult before = newest.get(part.net().name());
      if (before != null && before.generation() >= generation) {
        return;
      }
      newest.put(part.net().name(), new PresetupResult(generation, false, why, null, 0));
    }
    part.net().migration().fellBack(why);
  }

  private void sendResult(String device) {
    PresetupResult result = results().get(device);
    if (result == null) {
      return;
    }
    try {
      answer.result(device, result);
    } catch (VhostException e) {
      log.debug(
          "{}: the result of presetup could not be sent to the source: {}", device, e.getMessage());
    }
  }

  /**
   * Ends the thread. A presetup that is under way is waited for, then given up: its devices are
   * connected anew, and the window sends everything.
   *
   * @param patience how long to wait
   * @return whether something had to be given up
   */
  boolean finish(Duration patience) {
    ending.set(true);
    if (thread.getState() == Thread.State.NEW) {
      return false;
    }
    wanted.add(List.of());
    boolean interrupted = Thread.interrupted();
    boolean gaveUp = false;
    // The thread checks givenUp every few milliseconds, and connecting anew is bounded.
    for (Duration wait = patience; !join(wait); wait = CONNECTING_ANEW) {
      interrupted |= Thread.interrupted();
      givenUp.set(true);
      gaveUp = true;
    }
    givenUp.set(true);
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return gaveUp;
  }

  private boolean join(Duration patience) {
    try {
      return thread.join(patience);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** The newest early record of a device that could be read; null: there was none. */
  @Nullable KnownEarly early(String device) {
    synchronized (newest) {
      return known.get(device);
    }
  }

  /** The result of the newest rehearsal. */
  RehearsalReport rehearsal() {
    synchronized (newest) {
      return rehearsal;
    }
  }

  Map<String, PresetupResult> results() {
    synchronized (newest) {
      return Map.copyOf(newest);
    }
  }
}
