package io.github.jvhost.testkit.net;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Linux;
import io.github.jvhost.sys.io.Poller;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Connects a {@link LearningSwitch} with a tap of the kernel: what one of them sends to the other
 * goes through a thread of this object. Thread-safe.
 */
public final class TapUplink implements AutoCloseable {
  private static final String TUN = "/dev/net/tun";
  private static final long TUNSETIFF = 0x400454caL;
  private static final short TAP_WITHOUT_INFORMATION = 0x1002;
  private static final int NAME_BYTES = 16;
  private static final int REQUEST_BYTES = 40;
  private static final int MOST_BYTES = 65_536;
  private static final Duration CLOSE_WITHIN = Duration.ofSeconds(5);

  private final SwitchPort port;
  private final OwnedDescriptor tap;
  private final EventFd frames;
  private final Thread thread;
  private volatile boolean closing;

  private TapUplink(SwitchPort port, OwnedDescriptor tap, EventFd frames) {
    this.port = port;
    this.tap = tap;
    this.frames = frames;
    this.thread = Thread.ofPlatform().daemon().name("uplink " + port.name()).unstarted(this::run);
  }

  /**
   * Connects them.
   *
   * @param network the switch, on which it takes a port
   * @param name of the tap, which has one queue and no header before its frames
   * @param ledger that counts descriptors
   * @return the connection, which the caller closes
   * @throws VhostException if the tap cannot be opened
   */
  public static TapUplink connect(LearningSwitch network, String name, DescriptorLedger ledger) {
    OwnedDescriptor tap = open(name, ledger);
    EventFd frames = EventFd.create(ledger, "uplink frames");
    SwitchPort port = network.attach(name);
    var uplink = new TapUplink(port, tap, frames);
    port.onFrame(frames::signal);
    uplink.thread.start();
    return uplink;
  }

  private static OwnedDescriptor open(String name, DescriptorLedger ledger) {
    int number = Linux.open(TUN, Linux.O_RDWR | Linux.O_NONBLOCK);
    if (number < 0) {
      throw new VhostException("open %s: errno %d".formatted(TUN, -number), Recovery.GIVE_UP);
    }
    OwnedDescriptor tap = OwnedDescriptor.adopt(ledger, number, "tap " + name);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment request = arena.allocate(REQUEST_BYTES);
      byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
      MemorySegment.copy(bytes, 0, request, JAVA_BYTE, 0, bytes.length);
      request.set(JAVA_SHORT, NAME_BYTES, TAP_WITHOUT_INFORMATION);
      MemorySegment state = arena.allocate(Linux.CALL_STATE);
      int result = Linux.ioctl(state, number, TUNSETIFF, request.address());
      if (result < 0) {
        tap.close();
        throw new VhostException(
            "take the tap %s: errno %d".formatted(name, -result), Recovery.GIVE_UP);
      }
    }
    return tap;
  }

  /** {@return how many frames the switch dropped because this was too slow for them} */
  public long dropped() {
    return port.dropped();
  }

  private void run() {
    try (Arena arena = Arena.ofConfined();
        Poller poller = new Poller(2)) {
      MemorySegment state = arena.allocate(Linux.CALL_STATE);
      MemorySegment frame = arena.allocate(MOST_BYTES);
      poller.add(tap.number(), Poller.IN);
      poller.add(frames.descriptor().number(), Poller.IN);
      while (!closing) {
        poller.await(TimeUnit.SECONDS.toNanos(1));
        frames.drain();
        long size = Linux.read(state, tap.number(), frame);
        while (size > 0) {
          port.transmit(frame.asSlice(0, size).toArray(JAVA_BYTE));
          size = Linux.read(state, tap.number(), frame);
        }
        byte[] next = port.poll();
        while (next != null) {
          MemorySegment.copy(next, 0, frame, JAVA_BYTE, 0, next.length);
          Linux.write(state, tap.number(), frame.asSlice(0, next.length));
          next = port.poll();
        }
      }
    }
  }

  /** Ends its thread, and closes the tap. */
  @Override
  public void close() {
    closing = true;
    frames.signal();
    try {
      if (!thread.join(CLOSE_WITHIN)) {
        throw new VhostException(
            "closing uplink " + port.name() + ": its thread goes on", Recovery.GIVE_UP);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    port.close();
    frames.close();
    tap.close();
  }
}
