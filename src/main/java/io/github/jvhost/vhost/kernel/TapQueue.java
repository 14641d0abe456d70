package io.github.jvhost.vhost.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.virtio.NetFeature;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One queue of a tap, for one queue pair. Until its pair is served it is detached, where the tap
 * has more queues than one: what reaches the tap meanwhile is dropped, and not delivered when it is
 * old. A tap of one queue keeps it.
 */
final class TapQueue implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(TapQueue.class);
  private static final String TUN = "/dev/net/tun";

  private static final int NAME_BYTES = 16;
  private static final short IFF_TAP = 0x2;
  private static final short IFF_MULTI_QUEUE = 0x100;
  private static final short IFF_ATTACH_QUEUE = 0x200;
  private static final short IFF_DETACH_QUEUE = 0x400;
  private static final short IFF_NO_PI = 0x1000;
  private static final short IFF_VNET_HDR = 0x4000;

  /** Bytes of the header before each packet: with the number of buffers, and without. */
  private static final int HEADER = 12;

  private static final int SHORT_HEADER = 10;

  /** What a driver can receive, and the bit of TUNSETOFFLOAD. */
  private record Offload(NetFeature feature, int bit) {}

  private static final List<Offload> OFFLOADS =
      List.of(
          new Offload(NetFeature.GUEST_CSUM, 0x1),
          new Offload(NetFeature.GUEST_TSO4, 0x2),
          new Offload(NetFeature.GUEST_TSO6, 0x4),
          new Offload(NetFeature.GUEST_ECN, 0x8),
          new Offload(NetFeature.GUEST_UFO, 0x10),
          new Offload(NetFeature.GUEST_USO4, 0x20),
          new Offload(NetFeature.GUEST_USO6, 0x40));

  private static final int USO = 0x60;
  private static final int CSUM = 0x1;

  private final String name;
  private final DeviceFile file;

  /** Whether others have the queue too, who get it back as it was: attached. */
  private final boolean given;

  private boolean detachable;
  private boolean attached = true;

  /** Whether frames may have come while the pair was not served. */
  private boolean mayBeStale;

  private int header = SHORT_HEADER;

  private TapQueue(String name, DeviceFile file, boolean detachable, boolean given) {
    this.given = given;
    this.name = name;
    this.file = file;
    this.detachable = detachable;
    detach();
  }

  /**
   * Opens queues of an interface, which is made if it is not there and the process may do so.
   *
   * @param pairs one queue each
   * @throws VhostException if that fails; nothing is left open
   */
  static List<TapQueue> open(DescriptorLedger ledger, String name, int pairs) {
    return all(pairs, _ -> open(ledger, name, pairs > 1));
  }

  private static List<TapQueue> all(int pairs, IntFunction<TapQueue> one) {
    List<TapQueue> queues = new ArrayList<>(pairs);
    try {
      for (int i = 0; i < pairs; i++) {
        queues.add(one.apply(i));
      }
      return queues;
    } catch (RuntimeException e) {
      queues.forEach(TapQueue::close);
      throw e;
    }
  }

  private static TapQueue open(DescriptorLedger ledger, String name, boolean many) {
    DeviceFile file = DeviceFile.open(ledger, TUN);
    try {
      String doing = "open a queue of the tap " + name;
      // A tap that was made with one queue only refuses the flag.
      boolean multi = many || ask(file, name, IFF_MULTI_QUEUE) == 0;
      if (many || !multi) {
        int result = ask(file, name, many ? IFF_MULTI_QUEUE : 0);
        if (result < 0) {
          throw Errno.failure(doing, Ioctl.TUNSETIFF, -result);
        }
      }
      return new TapQueue(name, file, multi, false);
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /** TUNSETIFF: returns 0 or the negated errno. */
  private static int ask(DeviceFile file, String name, int more) {
    MemorySegment request = ifreq(file, name);
    request.set(JAVA_SHORT, NAME_BYTES, (short) (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | more));
    return file.tryCall(Ioctl.TUNSETIFF, request.address());
  }

  private static MemorySegment ifreq(DeviceFile file, String name) {
    byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
    if (bytes.length == 0 || bytes.length >= NAME_BYTES) {
      throw new IllegalArgumentException("the name of an interface has 1 to 15 bytes: " + name);
    }
    MemorySegment request = file.scratch();
    request.asSlice(0, 40).fill((byte) 0);
    MemorySegment.copy(bytes, 0, request, JAVA_BYTE, 0, bytes.length);
    return request;
  }

  /**
   * Uses queues that somebody else has opened.
   *
   * @param queues one a pair; their owner keeps them
   */
  static List<TapQueue> of(List<OwnedDescriptor> queues) {
    return all(queues.size(), i -> of(queues.get(i).duplicate()));
  }

  private static TapQueue of(OwnedDescriptor queue) {
    return new TapQueue(queue.identity().what(), new DeviceFile(queue), true, true);
  }

  /** For rehearsals. */
  static List<TapQueue> rehearsed(DescriptorLedger ledger, int pairs) {
    return all(pairs, _ -> new TapQueue("of a rehearsal", DeviceFile.deaf(ledger), true, false));
  }

  int number() {
    return file.number();
  }

  int calls() {
    return file.calls();
  }

  /** The features that a back end with this tap can offer because of the tap. */
  long features() {
    boolean uso = file.tryCall(Ioctl.TUNSETOFFLOAD, CSUM | USO) == 0;
    file.value(Ioctl.TUNSETOFFLOAD, 0, doing("ask"));
    long features =
        NetFeature.maskOf(
            NetFeature.CSUM,
            NetFeature.GUEST_CSUM,
            NetFeature.GUEST_TSO4,
            NetFeature.GUEST_TSO6,
            NetFeature.GUEST_ECN,
            NetFeature.GUEST_UFO,
            NetFeature.HOST_TSO4,
            NetFeature.HOST_TSO6,
            NetFeature.HOST_ECN,
            NetFeature.HOST_UFO);
    return uso
        ? features
            | NetFeature.maskOf(NetFeature.GUEST_USO4, NetFeature.GUEST_USO6, NetFeature.HOST_USO)
        : features;
  }

  /** Tells the tap which header the driver expects, and what it can receive. */
  void features(long features) {
    boolean counts =
        (features & NetFeature.maskOf(NetFeature.VERSION_1, NetFeature.MRG_RXBUF)) != 0;
    header = counts ? HEADER : SHORT_HEADER;
    file.setInt(Ioctl.TUNSETVNETHDRSZ, header, doing("set the header of"));
    long offloads = 0;
    for (Offload offload : OFFLOADS) {
      offloads |= offload.feature.in(features) ? offload.bit : 0;
    }
    // Without checksums the tap takes no other offload, and the driver may have chosen so.
    file.value(
        Ioctl.TUNSETOFFLOAD, (offloads & CSUM) == 0 ? 0 : offloads, doing("set the offloads of"));
  }

  /** Before its pair is served: frames reach the queue from now on, and it has no older ones. */
  void attach() {
    if (mayBeStale) {
      detach(); // drops what waits in it
    }
    if (!attached) {
      queue(IFF_ATTACH_QUEUE);
      attached = true;
    }
  }

  /** Its pair has stopped. Its queue goes on to fill: to detach it takes milliseconds. */
  void stopped() {
    mayBeStale = attached;
  }

  /** Drops what waits in the queue, and what comes until {@link #attach}. */
  void detach() {
    if (attached && detachable) {
      try {
        queue(IFF_DETACH_QUEUE);
        attached = false;
      } catch (VhostException e) {
        detachable = false; // a descriptor of a tap with one queue
      }
    }
    mayBeStale = false;
  }

  private void queue(short flag) {
    MemorySegment request = file.scratch();
    request.asSlice(0, 40).fill((byte) 0);
    request.set(JAVA_SHORT, NAME_BYTES, flag);
    file.argument(Ioctl.TUNSETQUEUE, doing(flag == IFF_ATTACH_QUEUE ? "attach" : "detach"));
  }

  /**
   * Sends a frame out of the interface, as if the guest had sent it.
   *
   * @return whether the tap took it
   */
  boolean send(byte[] frame) {
    byte[] withHeader = new byte[header + frame.length]; // zeros: no offload, no buffers
    System.arraycopy(frame, 0, withHeader, header, frame.length);
    return file.write(withHeader);
  }

  private String doing(String what) {
    return what + " the tap queue " + name;
  }

  @Override
  public void close() {
    try {
      if (given && !attached) {
        queue(IFF_ATTACH_QUEUE);
      }
    } catch (VhostException e) {
      log.debug("{}: its queue stays detached: {}", name, e.getMessage());
    } finally {
      file.close();
    }
  }
}
