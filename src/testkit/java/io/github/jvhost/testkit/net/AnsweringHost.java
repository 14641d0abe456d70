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
 * guests that are named to it. It runs on its own platform thread; any thread may call its methods.
 *
 * <p>Like any host's neighbour table, it learns a guest's MAC from the guest's ARP packets. So it
 * goes on pinging a guest that changes its address and announces the new one.
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
   * Connects a host to a switch and starts it.
   *
   * @param network the switch
   * @param name the name of its port and thread
   * @param mac its MAC address
   * @param ip its IP address
   * @return the host, which the caller has to close
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

  /** {@return how many frames it received and could not parse} */
  public long malformed() {
    return malformed.get();
  }

  /**
   * Starts to ping a guest. The first request is sent at once.
   *
   * @param guestMac the guest's MAC address, until the guest's ARP packets show another one
   * @param guestIp the guest's IP address
   * @param period between two requests
   * @return the series of these pings, which the host goes on updating
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

  /** Stops sending requests. Answers still count. */
  public void stopPinging() {
    targets.forEach(target -> target.stopped = true);
  }

  /** Stops the host and closes its port. Waits at most five seconds. */
  @Override
  public void close() {
    close(Deadline.in(5, TimeUnit.SECONDS));
  }

  /**
   * Stops the host and closes its port.
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
      // The batch is bounded, so that a flood of frames does not delay the requests.
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
        // The switch floods frames: this one is for another station.
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
        // A RARP packet is for the switch. The host ignores all other packets.
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

    /** Sends the next request if it is due. Returns the nanoseconds until the next one. */
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
      // After a delay of the thread the missed requests are not sent in a burst.
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
