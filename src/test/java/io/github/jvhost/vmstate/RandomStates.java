package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.CommonState;
import io.github.jvhost.virtio.FilterState;
import io.github.jvhost.virtio.HostOffer;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.RssState;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.function.Supplier;

/** Any state that can be built, from a seed. */
public final class RandomStates {
  private final SplittableRandom random;

  public RandomStates(long seed) {
    this.random = new SplittableRandom(seed);
  }

  public VirtioNetState next() {
    boolean above31 = random.nextBoolean();
    HostOffer offer =
        new HostOffer(
            above31,
            random.nextInt(4) == 0,
            above31 && random.nextBoolean(),
            above31 && random.nextBoolean());
    boolean modern = random.nextBoolean();
    int vectors = random.nextBoolean() ? 0 : 1 + random.nextInt(20);
    TransportState transport = random.nextBoolean() ? mmio(modern) : pci(modern, vectors);
    CommonState common = common(offer);
    return new VirtioNetState(
        offer, transport, common, net(common.features()), queues(offer, transport));
  }

  private TransportState mmio(boolean modern) {
    return new TransportState.Mmio(
        modern, random.nextInt(), random.nextInt(), random.nextInt(), modern ? bits64() : 0);
  }

  private TransportState pci(boolean modern, int vectors) {
    byte[] space = new byte[random.nextBoolean() ? 256 : 4096];
    random.nextBytes(space);
    space[6] &= ~0x10;
    Optional<TransportState.Msix> msix = Optional.empty();
    if (vectors > 0) {
      space[6] |= 0x10;
      space[0x34] = 0x40;
      space[0x40] = 0x11;
      space[0x42] = (byte) (vectors - 1);
      space[0x43] = (byte) 0x80;
      msix =
          Optional.of(
              new TransportState.Msix(
                  bytes(16 * vectors), bytes((vectors + 7) / 8), vector(vectors)));
    }
    return new TransportState.Pci(
        modern,
        Bytes.copyOf(space),
        List.of(random.nextInt(), 1, 0, random.nextInt()),
        msix,
        modern ? random.nextInt() : 0,
        modern ? random.nextInt() : 0,
        modern ? bits64() : 0,
        modern && random.nextBoolean() ? OptionalLong.of(bits64()) : OptionalLong.empty());
  }

  private CommonState common(HostOffer offer) {
    return new CommonState(
        random.nextInt(256),
        random.nextInt(256),
        random.nextInt(1024),
        bits64() & (offer.above31() ? -1L : 0xFFFF_FFFFL),
        offer.above63() ? bits64() : 0,
        bytes(random.nextInt(30)),
        endian(),
        random.nextBoolean(),
        random.nextBoolean(),
        random.nextBoolean());
  }

  private CommonState.Endian endian() {
    return switch (random.nextInt(3)) {
      case 0 -> CommonState.Endian.USUAL;
      case 1 -> CommonState.Endian.LITTLE;
      default -> CommonState.Endian.BIG;
    };
  }

  private NetState net(long features) {
    int max = random.nextInt(3) == 0 ? 1 : 1 + random.nextInt(NetState.MAX_PAIRS);
    int current = 1 + random.nextInt(max);
    return new NetState(
        mac(),
        list(current, random::nextInt),
        random.nextBoolean(),
        random.nextInt(65536),
        new FilterState(
            random.nextBoolean(),
            random.nextBoolean(),
            list(random.nextInt(100), this::mac),
            bytes(512),
            random.nextBoolean(),
            random.nextBoolean(),
            random.nextBoolean(),
            random.nextBoolean(),
            random.nextBoolean(),
            random.nextBoolean()),
        random.nextBoolean(),
        random.nextBoolean(),
        max,
        current,
        NetFeature.CTRL_GUEST_OFFLOADS.in(features) ? bits64() : 0,
        sometimes(this::rss),
        sometimes(() -> list(random.nextInt(4), () -> bytes(1 + random.nextInt(3000)))));
  }

  private RssState rss() {
    return new RssState(
        random.nextBoolean(),
        random.nextBoolean(),
        random.nextBoolean(),
        random.nextInt(),
        random.nextBoolean() ? OptionalInt.of(random.nextInt()) : OptionalInt.empty(),
        random.nextInt(65536),
        bytes(40),
        list(random.nextInt(9) == 0 ? 0 : 1 << random.nextInt(8), () -> random.nextInt(65536)));
  }

  private List<SavedQueue> queues(HostOffer offer, TransportState transport) {
    int count = random.nextInt(8) == 0 ? random.nextInt(1025) : random.nextInt(10);
    // Behind the rings that are there, single places may still hold something.
    int places = random.nextInt(4) == 0 ? count + random.nextInt(1025 - count) : count;
    List<SavedQueue> queues = new ArrayList<>();
    for (int i = 0; i < places; i++) {
      boolean there = i < count;
      queues.add(
          there || random.nextInt(10) == 0 ? queue(there, offer, transport) : SavedQueue.ABSENT);
    }
    return queues;
  }

  private SavedQueue queue(boolean there, HostOffer offer, TransportState transport) {
    int vectors =
        transport instanceof TransportState.Pci pci
            ? pci.msix().map(TransportState.Msix::vectors).orElse(0)
            : 0;
    int size = there ? 1 + random.nextInt(SavedQueue.MAX_SIZE) : 0;
    long desc = there && random.nextInt(4) != 0 ? bits64() : 0;
    return new SavedQueue(
        size,
        random.nextBoolean() ? size : random.nextInt(SavedQueue.MAX_SIZE + 1),
        there && transport instanceof TransportState.Mmio ? random.nextInt() : 0,
        desc,
        desc != 0 ? random.nextInt(65536) : 0,
        there ? vector(vectors) : SavedQueue.NO_VECTOR,
        offer.version1() ? bits64() : 0,
        offer.version1() ? bits64() : 0,
        offer.ringPacked() ? packed() : SavedQueue.Packed.START,
        transport.modern()
            ? new SavedQueue.Proxy(
                random.nextInt(65536), random.nextBoolean(), bits64(), bits64(), bits64())
            : SavedQueue.Proxy.NONE);
  }

  private SavedQueue.Packed packed() {
    return new SavedQueue.Packed(
        random.nextInt(65536),
        random.nextBoolean(),
        random.nextInt(65536),
        random.nextBoolean(),
        random.nextInt());
  }

  private int vector(int vectors) {
    return vectors == 0 || random.nextBoolean() ? SavedQueue.NO_VECTOR : random.nextInt(vectors);
  }

  /** Often zero, so that also what looks unused is met. */
  private long bits64() {
    return random.nextInt(4) == 0 ? 0 : random.nextLong();
  }

  private MacAddress mac() {
    return new MacAddress(random.nextLong() >>> 16);
  }

  private Bytes bytes(int size) {
    byte[] bytes = new byte[size];
    random.nextBytes(bytes);
    return Bytes.copyOf(bytes);
  }

  private <T> Optional<T> sometimes(Supplier<T> value) {
    return random.nextInt(3) == 0 ? Optional.of(value.get()) : Optional.empty();
  }

  private static <T> List<T> list(int size, Supplier<T> element) {
    List<T> list = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      list.add(element.get());
    }
    return list;
  }
}
