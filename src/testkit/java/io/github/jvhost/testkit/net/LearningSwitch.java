package io.github.jvhost.testkit.net;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A switch that binds each station to a port, as network fabrics do:
 *
 * <ul>
 *   <li>an unknown source address is learned from any frame;
 *   <li>a known address moves to another port only by an announcement (RARP, or a gratuitous ARP of
 *       that address), so that the guest cannot be reached if a migration's announcement fails;
 *   <li>this is so even if the port of the address is closed: the switch drops and counts frames to
 *       it;
 *   <li>broadcast, multicast and unknown destinations are flooded to all other open ports.
 * </ul>
 *
 * A port that is attached under the name of a closed one takes over its addresses. So a back end
 * that reconnects needs no announcement, and a guest that moves does.
 *
 * <p>Thread-safe. Frames between the same two ports stay in order.
 */
public final class LearningSwitch {
  /** The default for how many frames wait at one port before more are dropped. */
  public static final int DEFAULT_QUEUE_LIMIT = 4096;

  private final ReentrantLock lock = new ReentrantLock();
  private final Map<Long, Port> stations = new HashMap<>();
  private final List<Port> open = new ArrayList<>();
  private final int queueLimit;
  private long malformed;
  private long moves;

  /** Creates a switch with {@link #DEFAULT_QUEUE_LIMIT}. */
  public LearningSwitch() {
    this(DEFAULT_QUEUE_LIMIT);
  }

  /**
   * Creates a switch whose ports hold at most this many frames each.
   *
   * @param queueLimit frames, at least 1
   */
  public LearningSwitch(int queueLimit) {
    if (queueLimit < 1) {
      throw new IllegalArgumentException(
          "a port's queue holds at least one frame, not " + queueLimit);
    }
    this.queueLimit = queueLimit;
  }

  /**
   * Opens a port for a station.
   *
   * @param name the port's name; no open port may have it
   * @return the port, which the caller has to close
   */
  public SwitchPort attach(String name) {
    Port port = new Port(Objects.requireNonNull(name, "name"));
    lock.lock();
    try {
      if (open.stream().anyMatch(p -> p.name.equals(name))) {
        throw new IllegalArgumentException("the switch has an open port " + name + " already");
      }
      stations.replaceAll((mac, at) -> at.name.equals(name) ? port : at);
      open.add(port);
    } finally {
      lock.unlock();
    }
    return port;
  }

  /**
   * {@return how many frames were too short for an Ethernet header, or had a group address as their
   * source}
   */
  public long malformed() {
    lock.lock();
    try {
      return malformed;
    } finally {
      lock.unlock();
    }
  }

  /** {@return how often a known address moved to another port by an announcement} */
  public long moves() {
    lock.lock();
    try {
      return moves;
    } finally {
      lock.unlock();
    }
  }

  private void forward(Port from, byte[] frame) {
    List<Runnable> wakeUps = new ArrayList<>(1);
    lock.lock();
    try {
      if (from.isClosed()) {
        return;
      }
      if (frame.length < Packet.ETHERNET_HEADER || (frame[6] & 1) != 0) {
        malformed++;
        return;
      }
      learn(from, frame);
      Port to = (frame[0] & 1) != 0 ? null : stations.get(address(frame, 0));
      if (to != null) {
        if (to != from) {
          to.enqueue(frame, wakeUps);
        }
      } else {
        for (Port port : open) {
          if (port != from) {
            port.enqueue(frame, wakeUps);
          }
        }
      }
    } finally {
      lock.unlock();
    }
    // Runs without the lock, because a wake-up may call the switch, for instance to poll at once.
    wakeUps.forEach(Runnable::run);
  }

  private void learn(Port from, byte[] frame) {
    long source = address(frame, 6);
    Port known = stations.putIfAbsent(source, from);
    if (known != null
        && known != from
        && Packet.parse(frame).filter(Packet::announces).isPresent()) {
      stations.put(source, from);
      moves++;
    }
  }

  private static long address(byte[] frame, int at) {
    long value = 0;
    for (int i = 0; i < 6; i++) {
      value = (value << 8) | (frame[at + i] & 0xff);
    }
    return value;
  }

  /**
   * The switch's lock guards it: the contention at one port is too small to need a lock of its own.
   */
  private final class Port implements SwitchPort {
    private final String name;
    private final ArrivalQueue arrivals = new ArrivalQueue(queueLimit, lock);

    Port(String name) {
      this.name = name;
    }

    void enqueue(byte[] frame, List<Runnable> wakeUps) {
      Runnable wakeUp = arrivals.add(frame);
      if (wakeUp != null) {
        wakeUps.add(wakeUp);
      }
    }

    boolean isClosed() {
      return arrivals.isClosed();
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public void transmit(byte[] frame) {
      forward(this, frame);
    }

    @Override
    public byte @Nullable [] poll() {
      return arrivals.poll();
    }

    @Override
    public void onFrame(Runnable run) {
      arrivals.onFrame(run);
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
      lock.lock();
      try {
        open.remove(this);
        arrivals.close();
      } finally {
        lock.unlock();
      }
    }
  }
}
