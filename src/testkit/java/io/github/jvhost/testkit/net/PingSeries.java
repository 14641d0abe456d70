package io.github.jvhost.testkit.net;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongPredicate;

/**
 * The pings of one station to another: when each sequence number was sent, and which were answered.
 * It is kept outside of guest memory. So the guests of source and destination update the same
 * series, and it shows a request that was answered or sent twice.
 *
 * <p>Thread-safe. It stores the last 65,536 requests one by one; older ones are only counted.
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

  /** Creates an empty series, marked now. */
  public PingSeries() {
    Arrays.fill(states, State.NONE);
  }

  /**
   * Records a request, before any station can see it.
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
        // The gap cannot begin before the first request.
        lastAnswerAt = System.nanoTime();
      }
      // If the sequence jumps, the slots in between still hold old requests and have to be cleared.
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
   * Records an answer whose bytes were correct.
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

  /** Records a frame that arrived with wrong bytes. */
  public void corrupt() {
    lock.lock();
    try {
      corrupt++;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Gives up all requests that have no answer yet, for instance because the asker resets its
   * device.
   */
  public void abandonUnanswered() {
    abandonUnanswered(_ -> true);
  }

  /**
   * Gives up some of the requests that have no answer yet, for instance because they are in a ring
   * that is no longer served. An answer that still arrives counts as an answer.
   *
   * @param which returns true for a sequence number to give up
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
   * Starts a new window for the longest gap and for {@code recovered}. The current gap counts in
   * the new window with its whole length.
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
   * {@return the statistics of this moment}
   *
   * @param grace the greatest age of an unanswered request that still counts as in flight
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
