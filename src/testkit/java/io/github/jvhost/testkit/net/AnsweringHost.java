package io.github.jvhost.testkit.net;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.virtio.MacAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * A host on the switch with one address: it answers ARP and ICMP echo requests, and pings the
 * guests that it is told to. It runs on one platform thread of its own; all methods may be called
 * from any thread.
 *
 * <p>A guest's MAC is taken from the guest's own ARP packets, as any host's neighbour table does: a
 * guest that changes its address and announces it goes on being pinged.
 */
public final class AnsweringHost implements AutoCloseable {
  private static final long IDLE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
  private static final int PAYLOAD = 200;

  private final MacAddress mac;
  private final Ipv4Address ip;
  private final SwitchPort port;
  private final List<Target> targets = new CopyOnWriteArrayList<>();
  private final AtomicLong answeredEchoes = new AtomicLong();
  private final AtomicLong malformed = new AtomicLong();
  private final Thread thread;
  private volatile boolean closing;

  private AnsweringHost(LearningSwitch network, String name, MacAddress mac, Ipv4Address ip) {
    this.mac = mac;
    this.ip = ip;
    port = network.attach(name);
    thread = Thread.ofPlatform().daemon().name(name).unstarted(this::run);
  }

  /**
   * Plugs a host in and starts it.
   *
   * @param network where
   * @param name of its port and thread
   * @param mac its address
   * @param ip its address
   * @return the host, the caller's to close
   * @throws IllegalArgumentException when a port of that name is open
   */
  public static AnsweringHost start(
      LearningSwitch network, String name, MacAddress mac, Ipv4Address ip) {
    AnsweringHost host = new AnsweringHost(network, name, mac, ip);
    host.port.onFrame(() -> LockSupport.unpark(host.thread));
    host.thread.start();
    return host;
  }

  /** {@return its MAC address} */
  public MacAddress mac() {
    return mac;
  }

  /** {@return its IP address} */
  public Ipv4Address ip() {
    return ip;
  }

  /** {@return how many echo requests it answered} */
  public long answeredEchoes() {
    return answeredEchoes.get();
  }

  /** {@return how many frames reached it and could not be read} */
  public long malformed() {
    return malformed.get();
  }

  /**
   * Begins to ping a guest. The first request leaves at once.
   *
   * @param guestMac where, until the guest's own ARP says something else
   * @param guestIp whom
   * @param period between two requests
   * @return the book of these pings, which goes on being written
   */
  public synchronized PingSeries ping(MacAddress guestMac, Ipv4Address guestIp, Duration period) {
    if (period.isNegative() || period.isZero()) {
      throw new IllegalArgumentException("a period of " + period);
    }
    Target target = new Target(targets.size(), guestMac, guestIp, period.toNanos());
    targets.add(target);
    LockSupport.unpark(thread);
    return target.series;
  }

  /** Sends no more requests; answers are still taken. */
  public void stopPinging() {
    targets.forEach(target -> target.stopped = true);
  }

  /** Stops the host and unplugs it, waiting at most five seconds. */
  @Override
  public void close() {
    close(Deadline.in(5, TimeUnit.SECONDS));
  }

  /**
   * Stops the host and unplugs it.
   *
   * @param deadline for the end of its thread
   * @throws VhostException when its thread did not end in time
   */
  public void close(Deadline deadline) {
    closing = true;
    port.close();
    LockSupport.unpark(thread);
    boolean ended;
    try {
      ended = thread.join(Duration.ofNanos(Math.max(1, deadline.remainingNanos())));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      ended = false;
    }
    if (!ended) {
      throw new VhostException(
          "closing host " + port.name() + ": its thread goes on running", Recovery.GIVE_UP);
    }
  }

  private void run() {
    while (!closing) {
      long now = System.nanoTime();
      long wait = IDLE_NANOS;
      for (Target target : targets) {
        wait = Math.min(wait, target.sendIfDue(now));
      }
      // A bounded batch: a flood of frames must not keep the requests from leaving in time.
      int batch = 64;
      for (byte[] frame = port.poll(); frame != null; frame = port.poll()) {
        Packet.parse(frame).ifPresentOrElse(this::receive, malformed::incrementAndGet);
        if (--batch == 0) {
          wait = 0;
          break;
        }
      }
      if (wait > 0) {
        LockSupport.parkNanos(this, wait);
      }
    }
  }

  private void receive(Packet packet) {
    switch (packet) {
      case Packet.Arp arp -> {
        for (Target target : targets) {
          if (target.ip.equals(arp.senderIp())) {
            target.mac = arp.senderMac();
          }
        }
        if (arp.operation() == 1 && arp.targetIp().equals(ip)) {
          port.transmit(arp.answer(mac).encode());
        }
      }
      case Packet.Echo echo when !echo.destination().equals(mac) || !echo.to().equals(ip) -> {
        // Flooded: it is meant for somebody else.
      }
      case Packet.Echo echo when echo.reply() -> {
        if (echo.identifier() < targets.size()) {
          targets.get(echo.identifier()).answered(echo);
        }
      }
      case Packet.Echo echo -> {
        answeredEchoes.incrementAndGet();
        port.transmit(echo.answer(mac).encode());
      }
      case Packet.Rarp _, Packet.Other _ -> {
        // The switch's business, or nobody's.
      }
    }
  }

  private final class Target {
    private final int index;
    private final Ipv4Address ip;
    private final long periodNanos;
    private final PingSeries series = new PingSeries();
    private volatile MacAddress mac;
    private volatile boolean stopped;
    private long next;
    private long due = System.nanoTime();

    Target(int index, MacAddress mac, Ipv4Address ip, long periodNanos) {
      this.index = index;
      this.mac = mac;
      this.ip = ip;
      this.periodNanos = periodNanos;
    }

    /** Returns the time to the next request in nanoseconds. */
    long sendIfDue(long now) {
      if (stopped) {
        return IDLE_NANOS;
      }
      if (due - now > 0) {
        return due - now;
      }
      long sequence = next++;
      series.sent(sequence);
      port.transmit(
          new Packet.Echo(
                  mac,
                  AnsweringHost.this.mac,
                  AnsweringHost.this.ip,
                  ip,
                  false,
                  index,
                  (int) (sequence & 0xffff),
                  new EchoPayload(index, sequence, PAYLOAD).encode())
              .encode());
      // A thread that was held up does not make up for it with a burst.
      due = now - due > periodNanos ? now + periodNanos : due + periodNanos;
      return Math.max(0, due - now);
    }

    void answered(Packet.Echo echo) {
      EchoPayload.parse(echo.payload())
          .filter(payload -> payload.tag() == index)
          .ifPresentOrElse(payload -> series.answered(payload.sequence()), series::corrupt);
    }
  }
}
