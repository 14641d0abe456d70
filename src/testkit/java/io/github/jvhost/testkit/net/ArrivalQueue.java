package io.github.jvhost.testkit.net;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** The frames that wait for the station at a port, with their counts. Thread-safe; never blocks. */
final class ArrivalQueue {
  private final int capacity;
  private final ReentrantLock lock;
  private final Queue<byte[]> waiting = new ArrayDeque<>();
  private @Nullable Runnable wakeUp;
  private boolean closed;
  private long dropped;
  private long delivered;

  /**
   * Creates an empty queue.
   *
   * @param capacity the most frames that wait, from 1; more are dropped and counted
   * @param lock guards it; may guard other objects too
   */
  ArrivalQueue(int capacity, ReentrantLock lock) {
    this.capacity = capacity;
    this.lock = lock;
  }

  /**
   * Queues a frame, or counts it as dropped.
   *
   * @return what the caller has to run when it holds no lock, or null for nothing
   */
  @Nullable Runnable add(byte[] frame) {
    lock.lock();
    try {
      if (closed || waiting.size() >= capacity) {
        dropped++;
        return null;
      }
      waiting.add(frame);
      return wakeUp;
    } finally {
      lock.unlock();
    }
  }

  /** Counts a frame that cannot be queued. */
  void drop() {
    lock.lock();
    try {
      dropped++;
    } finally {
      lock.unlock();
    }
  }

  /** See {@link SwitchPort#poll()}. */
  byte @Nullable [] poll() {
    lock.lock();
    try {
      byte[] frame = waiting.poll();
      delivered += frame == null ? 0 : 1;
      return frame;
    } finally {
      lock.unlock();
    }
  }

  /** See {@link SwitchPort#onFrame}. */
  void onFrame(Runnable run) {
    boolean now;
    lock.lock();
    try {
      wakeUp = run;
      now = !waiting.isEmpty();
    } finally {
      lock.unlock();
    }
    if (now) {
      run.run();
    }
  }

  boolean isClosed() {
    lock.lock();
    try {
      return closed;
    } finally {
      lock.unlock();
    }
  }

  long dropped() {
    lock.lock();
    try {
      return dropped;
    } finally {
      lock.unlock();
    }
  }

  long delivered() {
    lock.lock();
    try {
      return delivered;
    } finally {
      lock.unlock();
    }
  }

  /** Closes the queue. Waiting and later frames count as dropped. */
  void close() {
    lock.lock();
    try {
      closed = true;
      dropped += waiting.size();
      waiting.clear();
    } finally {
      lock.unlock();
    }
  }
}
