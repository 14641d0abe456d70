package io.github.jvhost.vhost.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.virtio.NetFeature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
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

  /** Those of the network namespace in which this thread is. */
  private static final Path INTERFACES = Path.of("/proc/thread-self/net/dev");

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

  /** A flag that an interface has to have, and the word of {@code ip tuntap} for it. */
  private record Flag(int bit, String name, String word) {}

  /** Whether it has no packet information cannot be asked: the bit has another meaning there. */
  private static final List<Flag> NEEDED =
      List.of(
          new Flag(IFF_TAP, "IFF_TAP", "mode tap"),
          new Flag(IFF_VNET_HDR, "IFF_VNET_HDR", "vnet_hdr"));

  /**
   * What a driver can receive, and the bit of TUNSETOFFLOAD.
   *
   * @param with one of which the driver has to accept too, else the tap refuses the bit
   */
  private record Offload(NetFeature feature, int bit, long with) {}

  private static final List<Offload> OFFLOADS =
      List.of(
          new Offload(NetFeature.GUEST_CSUM, 0x1, NetFeature.GUEST_CSUM.mask()),
          new Offload(NetFeature.GUEST_TSO4, 0x2, NetFeature.GUEST_CSUM.mask()),
          new Offload(NetFeature.GUEST_TSO6, 0x4, NetFeature.GUEST_CSUM.mask()),
          new Offload(
              NetFeature.GUEST_ECN,
              0x8,
              NetFeature.maskOf(NetFeature.GUEST_TSO4, NetFeature.GUEST_TSO6)),
          new Offload(NetFeature.GUEST_UFO, 0x10, NetFeature.GUEST_CSUM.mask()),
          new Offload(NetFeature.GUEST_USO4, 0x20, NetFeature.GUEST_USO6.mask()),
          new Offload(NetFeature.GUEST_USO6, 0x40, NetFeature.GUEST_USO4.mask()));

  private static final Pattern RELEASE = Pattern.compile("(\\d{1,4})\\.(\\d{1,4}).*");

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
   * Opens queues of an interface.
   *
   * @param pairs one queue each
   * @throws VhostException (RETRY) if there is no such interface, which the kernel would make; also
   *     if that fails; nothing is left open
   */
  static List<TapQueue> open(DescriptorLedger ledger, String name, int pairs) {
    requireThere(name);
    return all(pairs, _ -> open(ledger, name, pairs > 1));
  }

  private static void requireThere(String name) {
    boolean there;
    try (Stream<String> lines = Files.lines(INTERFACES)) {
      there = lines.anyMatch(line -> line.strip().startsWith(name + ":"));
    } catch (IOException e) {
      return; // it cannot be seen
    }
    if (!there) {
      throw new VhostException(
          "there is no interface %s: make it (ip tuntap add mode tap multi_queue vnet_hdr name %s), and put it into its bridge"
              .formatted(name, name),
          Recovery.RETRY);
    }
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
      int result = ask(file, name, IFF_MULTI_QUEUE);
      boolean multi = result == 0;
      if (result == -Errno.EINVAL && !many) {
        result = ask(file, name, 0); // it was made with one queue only
      }
      if (result < 0) {
        throw Errno.failure(doing, Ioctl.TUNSETIFF, -result);
      }
      requireFlags(file, "the tap " + name);
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

  /** An interface of which somebody else has a queue keeps the flags that it has. */
  private static void requireFlags(DeviceFile file, String what) {
    file.argument(Ioctl.TUNGETIFF, "look at " + what);
    int flags = file.scratch().get(JAVA_SHORT, NAME_BYTES);
    for (Flag flag : NEEDED) {
      if ((flags & flag.bit) == 0) {
        throw new VhostException(
            "%s has no %s: make it with \"%s\" (ip tuntap), and let nobody open it without"
                .formatted(what, flag.name, flag.word),
            Recovery.GIVE_UP);
      }
    }
  }

  private static MemorySegment ifreq(DeviceFile file, String name) {
    byte[] bytes = name.getBytes(StandardCharsets.UTF_8); // fewer than NAME_BYTES
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
    String name = queue.identity().what();
    var file = new DeviceFile(queue);
    try {
      requireFlags(file, "the tap queue " + name);
      return new TapQueue(name, file, true, true);
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
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

  /**
   * The features that a back end can offer because of its tap. The tap is not asked: a question is
   * an order there, which whoever else has the tap would feel.
   *
   * @param release of the kernel: 6.12.117-amd64
   */
  static long featuresWith(String release) {
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
    return takesUso(release)
        ? features
            | NetFeature.maskOf(NetFeature.GUEST_USO4, NetFeature.GUEST_USO6, NetFeature.HOST_USO)
        : features;
  }

  /** Taps take USO since Linux 6.2. */
  private static boolean takesUso(String release) {
    Matcher version = RELEASE.matcher(release);
    return version.matches()
        && 1000 * Integer.parseInt(version.group(1)) + Integer.parseInt(version.group(2)) >= 6002;
  }

  /** Tells the tap which header the driver expects, and what it can receive. */
  void features(long features) {
    boolean counts =
        (features & NetFeature.maskOf(NetFeature.VERSION_1, NetFeature.MRG_RXBUF)) != 0;
    header = counts ? HEADER : SHORT_HEADER;
    file.setInt(Ioctl.TUNSETVNETHDRSZ, header, doing("set the header of"));
    offloads(features);
  }

  /** Tells the tap, for all its queues, what the driver can receive. */
  void offloads(long features) {
    file.value(Ioctl.TUNSETOFFLOAD, taken(features), doing("set the offloads of"));
  }

  /** As many as the tap takes together. Without checksums it takes none. */
  static long taken(long features) {
    long offloads = 0;
    for (Offload offload : OFFLOADS) {
      boolean taken =
          NetFeature.GUEST_CSUM.in(features)
              && offload.feature.in(features)
              && (features & offload.with) != 0;
      offloads |= taken ? offload.bit : 0;
    }
    return offloads;
  }

  /**
   * Before its pair is served: frames reach the queue from now on, and it has no older ones.
   *
   * @throws VhostException (RECONNECT) if the interface was removed; vhost-net would serve the pair
   *     all the same, and no frame would ever come
   */
  void attach() {
    if (mayBeStale) {
      detach(); // drops what waits in it
    }
    int result;
    if (attached) {
      result = file.tryCall(Ioctl.TUNGETIFF, file.scratch().address());
    } else {
      result = tryQueue(IFF_ATTACH_QUEUE);
    }
    if (result < 0) {
      throw new VhostException(
          "attach the tap queue %s: errno %d: its interface was removed; make it again, and connect again"
              .formatted(name, -result),
          Recovery.RECONNECT);
    }
    attached = true;
  }

  /** Its pair has stopped. Its queue goes on to fill: to detach it takes milliseconds. */
  void stopped() {
    mayBeStale = attached;
  }

  /** Drops what waits in the queue, and what comes until {@link #attach}. */
  void detach() {
    if (attached && detachable) {
      attached = tryQueue(IFF_DETACH_QUEUE) < 0;
      detachable = !attached; // else it is a descriptor of a tap with one queue
    }
    mayBeStale = false;
  }

  /** TUNSETQUEUE: returns 0 or the negated errno. */
  private int tryQueue(short flag) {
    MemorySegment request = file.scratch();
    request.asSlice(0, 40).fill((byte) 0);
    request.set(JAVA_SHORT, NAME_BYTES, flag);
    return file.tryCall(Ioctl.TUNSETQUEUE, request.address());
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
    if (given && !attached && tryQueue(IFF_ATTACH_QUEUE) < 0) {
      log.debug("{}: its queue stays detached", name);
    }
    file.close();
  }
}
