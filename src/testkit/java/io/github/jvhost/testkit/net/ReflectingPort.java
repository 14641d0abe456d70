package io.github.jvhost.testkit.net;

import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A port that returns every frame to its sender, with the two Ethernet addresses exchanged.
 * Thread-safe.
 *
 * <pre>
 *   sent      | to | from | type, content ... |
 *   returned  | from | to | type, content ... |
 * </pre>
 */
public final class ReflectingPort implements SwitchPort {
  private static final int ADDRESS = 6;

  private final String name;
  private final ArrivalQueue arrivals;

  /**
   * Creates an empty port.
   *
   * @param name its name in reports
   * @param capacity the most frames that wait, from 1; more are dropped and counted
   */
  public ReflectingPort(String name, int capacity) {
    if (capacity < 1) {
      throw new IllegalArgumentException("a port has room for one frame at least, not " + capacity);
    }
    this.name = name;
    this.arrivals = new ArrivalQueue(capacity, new ReentrantLock());
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public void transmit(byte[] frame) {
    if (arrivals.isClosed()) {
      return;
    }
    if (frame.length < Packet.ETHERNET_HEADER) {
      arrivals.drop();
      return;
    }
    Runnable wakeUp = arrivals.add(turned(frame));
    if (wakeUp != null) {
      wakeUp.run();
    }
  }

  private static byte[] turned(byte[] frame) {
    byte[] back = frame.clone();
    System.arraycopy(frame, 0, back, ADDRESS, ADDRESS);
    System.arraycopy(frame, ADDRESS, back, 0, ADDRESS);
    return back;
  }

  @Override
  public byte @Nullable [] poll() {
    return arrivals.poll();
  }

  @Override
  public void onFrame(Runnable wakeUp) {
    arrivals.onFrame(wakeUp);
  }

  @Override
  public long dropped() {
    return arrivals.dropped();
  }

  @Override
  public long delivered() {
    return arrivals.delivered();
  }

  @Override
  public void close() {
    arrivals.close();
  }
}
