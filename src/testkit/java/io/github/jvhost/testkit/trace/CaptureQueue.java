package io.github.jvhost.testkit.trace;

import io.github.jvhost.channel.backend.RelayObserver;
import io.github.jvhost.channel.backend.RelayedMessage;
import io.github.jvhost.protocol.Dialect;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A queue between a relay, which must not wait for a terminal or a disk, and a thread that shows or
 * saves the messages. The taking thread decodes them.
 *
 * <pre>
 *   relay's thread --RelayedMessage--&gt; | queue, at most 65536 | --CaptureEntry--&gt; taker's thread
 * </pre>
 *
 * <p>If it is full, the relay waits: messages are then delayed, but none is lost. Thread-safe, with
 * one taker.
 */
public final class CaptureQueue implements RelayObserver, AutoCloseable {
  private static final int MOST = 1 << 16;
  private static final long LOOK_MILLIS = 50;

  private final LinkedBlockingQueue<Item> queue = new LinkedBlockingQueue<>(MOST);
  private final long start = System.nanoTime();
  private final MessageDecoder decoder;
  private volatile boolean closed;

  private sealed interface Item {}

  private record Passed(RelayedMessage message) implements Item {}

  private record Happened(CaptureEvent event) implements Item {}

  /**
   * Creates the queue. Times count from this moment.
   *
   * @param dialect the dialect in which numbers are read
   */
  public CaptureQueue(Dialect dialect) {
    decoder = new MessageDecoder(dialect);
  }

  @Override
  public void connected(int session, long nanos) {
    put(new Happened(new CaptureEvent(since(nanos), session, true, "")));
  }

  @Override
  public void passed(RelayedMessage message) {
    put(new Passed(message));
  }

  @Override
  public void ended(int session, long nanos, String why) {
    put(new Happened(new CaptureEvent(since(nanos), session, false, why)));
  }

  private long since(long nanos) {
    return Math.max(0, nanos - start);
  }

  private void put(Item item) {
    try {
      while (!queue.offer(item, LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
        if (closed) {
          return;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * {@return the entries since the last call, oldest first; empty if none came in time}
   *
   * @param wait the longest wait for the first entry
   * @throws InterruptedException when interrupted while it waits
   */
  public List<CaptureEntry> take(Duration wait) throws InterruptedException {
    Item first = queue.poll(wait.toNanos(), TimeUnit.NANOSECONDS);
    if (first == null) {
      return List.of();
    }
    List<Item> items = new ArrayList<>();
    items.add(first);
    queue.drainTo(items);
    return decoded(items);
  }

  /** {@return the entries since the last call, oldest first, without waiting; may be empty} */
  public List<CaptureEntry> rest() {
    List<Item> items = new ArrayList<>();
    queue.drainTo(items);
    return decoded(items);
  }

  private List<CaptureEntry> decoded(List<Item> items) {
    List<CaptureEntry> entries = new ArrayList<>(items.size());
    for (Item item : items) {
      entries.add(
          switch (item) {
            case Passed(RelayedMessage message) -> decoder.decode(message, start);
            case Happened(CaptureEvent event) -> event;
          });
    }
    return entries;
  }

  /**
   * Ends the queue: later entries may be lost, so that the relay does not wait. {@link #rest} still
   * returns the earlier ones.
   */
  @Override
  public void close() {
    closed = true;
  }
}
