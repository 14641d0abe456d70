package io.github.jvhost.testkit.net;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A network that is a mirror: every frame comes back to the station that sent it, with the two
 * Ethernet addresses exchanged, so that it is addressed to its sender. Thread-safe.
 *
 * <pre>
 *   sent      | to | from | type, content ... |
 *   returned  | from | to | type, content ... |
 * </pre>
 */
public final class ReflectingPort implements SwitchPort {
  private static final int ADDRESS = 6;

  private final String name;
  private final int capacity;
  private final ReentrantLock lock = new ReentrantLock();
  private final Queue<byte[]> waiting = new ArrayDeque<>();
  private Runnable wakeUp = () -> {};
  private long dropped;
  private long delivered;
  private boolean closed;

  /**
   * A port with nothing in it.
   *
   * @param name how reports call it
   * @param capacity how many frames wait at most, from 1; more are dropped and counted
   */
  public ReflectingPort(String name, int capacity) {
    if (capacity < 1) {
      throw new IllegalArgumentException("a port has room for one frame at least, not " + capacity);
    }
    this.name = name;
    this.capacity = capacity;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public void transmit(byte[] frame) {
    Runnable wake;
    lock.lock();
    try {
      if (closed) {
        return;
      }
      if (frame.length < Packet.ETHERNET_HEADER || waiting.size() >= capacity) {
        dropped++;
        return;
      }
      waiting.add(turned(frame));
      wake = wakeUp;
    } finally {
      lock.unlock();
    }
    wake.run();
  }

  private static byte[] turned(byte[] frame) {
    byte[] back = frame.clone();
    System.arraycopy(frame, 0, back, ADDRESS, ADDRESS);
    System.arraycopy(frame, ADDRESS, back, 0, ADDRESS);
    return back;
  }

  @Override
  public byte @Nullable [] poll() {
    lock.lock();
    try {
      byte[] frame = waiting.poll();
      delivered += frame == null ? 0 : 1;
      return frame;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void onFrame(Runnable wake) {
    boolean now;
    lock.lock();
    try {
      wakeUp = wake;
      now = !waiting.isEmpty();
    } finally {
      lock.unlock();
    }
    if (now) {
      wake.run();
    }
  }

  @Override
  public long dropped() {
    lock.lock();
    try {
      return dropped;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public long delivered() {
    lock.lock();
    try {
      return delivered;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void close() {
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
