package io.github.jvhost.testkit.net;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongPredicate;

/**
 * The book of one asker and one asked: which sequence number was sent when, and which were
 * answered. It is kept on the host's side, so that the source's and the destination's guest can
 * write the same one and a request served twice, or sent twice, shows.
 *
 * <p>Thread-safe. The last 65,536 requests are remembered one by one; older ones only count.
 */
public final class PingSeries {
  private static final int REMEMBERED = 1 << 16;
  private static final int LISTED = 32;

  private enum State {
    NONE,
    SENT,
    ANSWERED,
    ABANDONED
  }

  private final ReentrantLock lock = new ReentrantLock();
  private final long[] sentAt = new long[REMEMBERED];
  private final State[] states = new State[REMEMBERED];
  private long next;
  private long sent;
  private long answered;
  private long duplicates;
  private long resent;
  private long unknown;
  private long corrupt;
  private long abandoned;
  private long forgottenUnanswered;
  private long markedAt = System.nanoTime();
  private long lastAnswerAt = markedAt;
  private long gap;
  private long gapFrom;
  private long gapTo;
  private boolean recovered;

  /** An empty book, marked now. */
  public PingSeries() {
    Arrays.fill(states, State.NONE);
  }

  /**
   * Notes a request, before it becomes visible to whoever may answer.
   *
   * @param sequence counts from 0, without holes
   */
  public void sent(long sequence) {
    lock.lock();
    try {
      if (sequence < next) {
        resent++;
        return;
      }
      if (sent++ == 0) {
        // Before the first request nobody can have waited for an answer.
        lastAnswerAt = System.nanoTime();
      }
      // A jump would leave entries of 65,536 requests ago in between.
      for (long s = Math.max(next, sequence - REMEMBERED + 1); s <= sequence; s++) {
        int slot = slot(s);
        if (states[slot] == State.SENT) {
          forgottenUnanswered++;
        }
        states[slot] = State.NONE;
      }
      states[slot(sequence)] = State.SENT;
      sentAt[slot(sequence)] = System.nanoTime();
      next = sequence + 1;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Notes an answer whose bytes were right.
   *
   * @param sequence the whole number that the answer carried; it may be one that was never sent
   */
  public void answered(long sequence) {
    lock.lock();
    try {
      if (sequence < 0 || sequence >= next || sequence < next - REMEMBERED) {
        unknown++;
        return;
      }
      int slot = slot(sequence);
      switch (states[slot]) {
        case NONE -> unknown++;
        case ANSWERED -> duplicates++;
        case ABANDONED -> {
          abandoned--;
          first(slot);
        }
        case SENT -> first(slot);
      }
    } finally {
      lock.unlock();
    }
  }

  private void first(int slot) {
    long now = System.nanoTime();
    states[slot] = State.ANSWERED;
    answered++;
    if (now - lastAnswerAt > gap) {
      gap = now - lastAnswerAt;
      gapFrom = lastAnswerAt;
      gapTo = now;
    }
    lastAnswerAt = now;
    recovered |= sentAt[slot] - markedAt > 0;
  }

  /** Notes a frame that arrived with wrong bytes. */
  public void corrupt() {
    lock.lock();
    try {
      corrupt++;
    } finally {
      lock.unlock();
    }
  }

  /**
   * The asker gives up everything that has no answer yet, for instance because it resets its
   * device.
   */
  public void abandonUnanswered() {
    abandonUnanswered(_ -> true);
  }

  /**
   * The asker gives up some of what has no answer yet, for instance because it lies in a ring that
   * nobody serves any more. An answer that comes all the same counts as one.
   *
   * @param which says of a sequence number whether it is given up
   */
  public void abandonUnanswered(LongPredicate which) {
    lock.lock();
    try {
      for (long s = Math.max(0, next - REMEMBERED); s < next; s++) {
        int slot = slot(s);
        if (states[slot] == State.SENT && which.test(s)) {
          states[slot] = State.ABANDONED;
          abandoned++;
        }
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Begins a new window for the longest gap and for {@code recovered}. The gap that lasts at this
   * moment counts in the new window with its whole length.
   */
  public void mark() {
    lock.lock();
    try {
      markedAt = System.nanoTime();
      gap = 0;
      gapFrom = markedAt;
      gapTo = markedAt;
      recovered = false;
    } finally {
      lock.unlock();
    }
  }

  /** {@return whether a request sent after the mark was answered} */
  public boolean recovered() {
    lock.lock();
    try {
      return recovered;
    } finally {
      lock.unlock();
    }
  }

  /**
   * {@return the state of the book}
   *
   * @param grace how old an unanswered request may be and still count as in flight
   */
  public PingStats stats(Duration grace) {
    lock.lock();
    try {
      long now = System.nanoTime();
      long lost = forgottenUnanswered;
      long inFlight = 0;
      List<Long> lostSequences = new ArrayList<>();
      for (long s = Math.max(0, next - REMEMBERED); s < next; s++) {
        int slot = slot(s);
        if (states[slot] != State.SENT) {
          continue;
        }
        if (now - sentAt[slot] < grace.toNanos()) {
          inFlight++;
        } else {
          lost++;
          if (lostSequences.size() < LISTED) {
            lostSequences.add(s);
          }
        }
      }
      return new PingStats(
          sent,
          answered,
          duplicates,
          resent,
          unknown,
          corrupt,
          abandoned,
          lost,
          inFlight,
          lostSequences,
          gap,
          gapFrom,
          gapTo,
          now - lastAnswerAt,
          recovered);
    } finally {
      lock.unlock();
    }
  }

  private static int slot(long sequence) {
    return (int) (sequence & (REMEMBERED - 1));
  }
}
