package io.github.jvhost.testkit.process;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The output of a process: one thread adds to it, others wait for a text in it. Only the last
 * characters are kept.
 *
 * <pre>
 *    0 ........ dropped ........ kept from here ................ end()
 *               (forgotten)     [ at most LIMIT characters      ]
 * </pre>
 *
 * Positions count all characters since the start, so that they stay valid when the first ones are
 * dropped. Thread-safe.
 */
public final class Transcript {
  /**
   * The longest answer, statistics of 128 queue pairs on several ports, has about 100,000
   * characters.
   */
  private static final int LIMIT = 1 << 19;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final StringBuilder kept = new StringBuilder();
  private long dropped;
  private boolean ended;

  /** What the same process prints elsewhere, to be shown beside this. */
  private final @Nullable Transcript beside;

  Transcript() {
    this(null);
  }

  Transcript(@Nullable Transcript beside) {
    this.beside = beside;
  }

  void append(char[] text, int length) {
    lock.lock();
    try {
      for (int i = 0; i < length; i++) {
        // The prompt echoes its input with carriage returns.
        if (text[i] != '\r') {
          kept.append(text[i]);
        }
      }
      int excess = kept.length() - LIMIT;
      if (excess > 0) {
        kept.delete(0, excess);
        dropped += excess;
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Called when the process will print nothing more. */
  void end() {
    lock.lock();
    try {
      ended = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** {@return the position of the next character, from which {@link #awaitText} can start} */
  public long position() {
    lock.lock();
    try {
      return dropped + kept.length();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Waits until {@code text} was printed.
   *
   * @param text part of a line, or of several, without carriage returns
   * @param from the position at which the search starts
   * @param deadline when to give up
   * @param what what the caller waits for, for the message of a failure
   * @return everything from {@code from} up to the text
   * @throws VhostException when the process ended or the deadline passed before that
   */
  public String awaitText(String text, long from, Deadline deadline, String what) {
    lock.lock();
    try {
      while (true) {
        int start = (int) Math.max(0, from - dropped);
        int found = kept.indexOf(text, start);
        if (found >= 0) {
          return kept.substring(start, found);
        }
        if (ended) {
          throw new VhostException(what + ": the process ended; " + lastLines(), Recovery.GIVE_UP);
        }
        long nanos = deadline.remainingNanos();
        if (nanos <= 0) {
          throw new VhostException(
              what + ": no answer within " + deadline.allowed() + "; " + lastLines(),
              Recovery.GIVE_UP);
        }
        changed.awaitNanos(nanos);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new VhostException(what + ": interrupted", Recovery.GIVE_UP, e);
    } finally {
      lock.unlock();
    }
  }

  /** {@return all characters that are kept, without carriage returns} */
  public String text() {
    lock.lock();
    try {
      return kept.toString();
    } finally {
      lock.unlock();
    }
  }

  /**
   * {@return the last few lines, joined into one, as part of an error message} With those on
   * standard error where they are kept apart.
   */
  String lastLines() {
    String printed = lastLines(text());
    String apart = beside == null ? "" : lastLines(beside.text());
    if (printed.isEmpty() && apart.isEmpty()) {
      return "it printed nothing";
    }
    return "it printed: "
        + (apart.isEmpty() ? printed : printed + "; and on its standard error: " + apart);
  }

  private static String lastLines(String text) {
    var lines = text.lines().map(String::strip).filter(l -> !l.isEmpty()).toList();
    return String.join(" | ", lines.subList(Math.max(0, lines.size() - 4), lines.size()));
  }
}
