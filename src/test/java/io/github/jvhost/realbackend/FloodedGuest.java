package io.github.jvhost.realbackend;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.vhost.BackEndWatch;
import io.github.jvhost.vhost.ReconnectPolicy;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

/**
 * A guest that only receives, as fast as its back end sends, and whose driver may give each receive
 * buffer another page while frames arrive.
 *
 * <pre>
 *   I/O virtual    RING: ring 0, ring 1         BUFFERS: one page of each slot, two pages of nothing between
 *                    |                            |        |        |
 *   guest memory   0x10000, 0x20000             pages from 1 MiB on, half of them free and poisoned
 * </pre>
 *
 * <p>A page that the driver takes from a slot is filled with poison when {@code iotlbInvalidate}
 * has returned. A byte of it that changes was written by the back end afterwards.
 *
 * <p>Its owner's thread is the driver's.
 */
final class FloodedGuest implements AutoCloseable {
  static final long PAGE = 4096;
  static final int SLOTS = 64;
  private static final long MEMORY = 16 << 20;
  private static final int RING_SIZE = 64;
  private static final long RING = 0x8000_0000L;
  private static final long RING_MEMORY = 0x10000;
  private static final long RING_BYTES = 0x10000;
  private static final long AVAIL = 0x2000;
  private static final long USED = 0x4000;
  private static final long BUFFERS = 0x9000_0000L;
  private static final long PAGES = 1 << 20;
  private static final byte POISON = (byte) 0xa5;

  final VhostNet net;
  final IommuTable iommu = new IommuTable();
  private final GuestMemory memory;
  private final List<RingEventfds> eventfds;
  private final BackEndWatch watch;
  private final long[] pageOf = new long[SLOTS];
  private final long[] addressOf = new long[SLOTS];
  private final int[] inRing = new int[RING_SIZE];
  private long nextAddress = BUFFERS;
  private final Deque<Long> free = new ArrayDeque<>();
  private int available;
  private int used;
  private long received;

  FloodedGuest(VhostDeviceOptions at) {
    DescriptorLedger ledger = at.ledger();
    memory = GuestMemory.builder(ledger).region("ram", 0, MEMORY).build();
    eventfds = RingEventfds.create(ledger, "flooded", 2);
    VirtioNet model =
        VirtioNet.builder("flooded")
            .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.ACCESS_PLATFORM.mask())
            .build();
    net = VhostNet.connect(model, new DeviceMemory(memory, iommu), eventfds, at);
    watch = BackEndWatch.start(ledger, BackEndWatch.Listener.NONE);
    watch.watch(net, new ReconnectPolicy.Fixed(Duration.ofMillis(50), 0));
    for (int i = 0; i < 2 * SLOTS; i++) {
      free.add(PAGES + i * PAGE);
      poison(PAGES + i * PAGE);
    }
  }

  // ---- the driver ----

  /** Maps rings and buffers one by one, and drives the device. */
  void start() {
    iommu.map(RING, RING_MEMORY, 2 * RING_BYTES, Access.READ_WRITE);
    for (int slot = 0; slot < SLOTS; slot++) {
      pageOf[slot] = free.remove();
      addressOf[slot] = freshAddress();
      iommu.map(mapping(slot));
    }
    drive();
  }

  /** The same with one mapping in which rings and buffers lie. */
  void startInOnePiece() {
    iommu.map(RING, RING_MEMORY, MEMORY - RING_MEMORY, Access.READ_WRITE);
    for (int slot = 0; slot < SLOTS; slot++) {
      pageOf[slot] = free.remove();
      addressOf[slot] = RING + pageOf[slot] - RING_MEMORY;
    }
    drive();
  }

  private void drive() {
    net.access(() -> {
      VirtioNet model = net.model();
      model.setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
      model.setDriverFeatures(NetFeature.maskOf(NetFeature.VERSION_1, NetFeature.ACCESS_PLATFORM));
      model.setStatus(model.status() | DeviceStatus.FEATURES_OK);
      for (int ring = 0; ring < 2; ring++) {
        long base = RING + ring * RING_BYTES;
        model.configureQueue(ring, RING_SIZE, base, base + AVAIL, base + USED);
      }
      model.setStatus(model.status() | DeviceStatus.DRIVER_OK);
    });
    for (int slot = 0; slot < SLOTS; slot++) {
      post(slot);
    }
    net.start();
  }

  private long freshAddress() {
    nextAddress += 3 * PAGE;
    return nextAddress;
  }

  private Translation mapping(int slot) {
    return new Translation(addressOf[slot], pageOf[slot], PAGE, Access.WRITE);
  }

  private void post(int slot) {
    int entry = available & (RING_SIZE - 1);
    inRing[entry] = slot;
    memory.putLong(RING_MEMORY + 16L * entry, addressOf[slot]);
    memory.putInt(RING_MEMORY + 16L * entry + 8, (int) PAGE);
    memory.putShort(RING_MEMORY + 16L * entry + 12, (short) 2); // the device writes
    memory.putInt(RING_MEMORY + AVAIL, 1); // no interrupts: the driver looks by itself
    memory.putShort(RING_MEMORY + AVAIL + 4 + 2L * entry, (short) entry);
    available++;
    memory.putShortRelease(RING_MEMORY + AVAIL + 2, (short) available);
  }

  /** Takes what has arrived, and posts each buffer again. */
  void receive() {
    while (arrived() > 0) {
      post(take());
    }
  }

  private int arrived() {
    return memory.getShortAcquire(RING_MEMORY + USED + 2) - used & 0xffff;
  }

  /** Takes the next buffer in which a frame is, and returns its slot. */
  private int take() {
    int entry = memory.getInt(RING_MEMORY + USED + 4 + 8L * (used & (RING_SIZE - 1)));
    used++;
    received++;
    return inRing[entry];
  }

  /** Receives so many frames more. */
  void awaitFrames(int more) {
    long goal = received + more;
    Await.until(
        () -> "%d frames more arrive; %d have, %s".formatted(more, received, net.shadow().ring(0)),
        () -> {
          receive();
          return received >= goal;
        });
  }

  // ---- what it does with its mappings ----

  /** Gives a slot another page at the same address, and takes the old one for something else. */
  void swap(int slot) {
    long old = replacePage(slot);
    iommu.unmap(addressOf[slot], PAGE);
    iommu.map(mapping(slot));
    net.iotlbInvalidate(addressOf[slot], PAGE);
    reuse(old);
  }

  /**
   * The same with a time in between in which nothing is mapped there.
   *
   * @param meanwhile what the driver does in that time
   */
  void unmapAndMap(int slot, Runnable meanwhile) {
    long old = replacePage(slot);
    iommu.unmap(addressOf[slot], PAGE);
    net.iotlbInvalidate(addressOf[slot], PAGE);
    reuse(old);
    meanwhile.run();
    iommu.map(mapping(slot));
    net.iotlbMapped(addressOf[slot], PAGE);
  }

  /**
   * Posts a buffer at an address that is not mapped, and swaps the one before it while the back end
   * runs into that address. A burst that has looked up the first one asks for the second one, and
   * writes both only then.
   */
  void swapBeforeMiss() {
    Await.until(() -> "a frame arrives", () -> arrived() > 0);
    int unmapped = take();
    int before = inRing[(available - 1) & (RING_SIZE - 1)];
    long old = addressOf[unmapped];
    addressOf[unmapped] = freshAddress();
    post(unmapped);
    swap(before);
    iommu.unmap(old, PAGE);
    net.iotlbInvalidate(old, PAGE);
    iommu.map(mapping(unmapped));
    net.iotlbMapped(addressOf[unmapped], PAGE);
  }

  /** Posts each buffer again at an address of its own, where it is mapped too. */
  void receiveAtFreshAddresses() {
    while (arrived() > 0) {
      int slot = take();
      addressOf[slot] = freshAddress();
      iommu.map(mapping(slot));
      post(slot);
    }
  }

  long received() {
    return received;
  }

  /** Gives all slots other pages, with one invalidation of everything. */
  void swapAll() {
    long[] old = new long[SLOTS];
    for (int slot = 0; slot < SLOTS; slot++) {
      old[slot] = replacePage(slot);
      iommu.unmap(addressOf[slot], PAGE);
      iommu.map(mapping(slot));
    }
    net.iotlbInvalidate(0, -1);
    Arrays.stream(old).forEach(this::reuse);
  }

  /** Unmaps all, rings included, and maps it as it was. */
  void unmapAndMapAll() {
    List<Translation> all = iommu.mappings();
    iommu.unmap(0, -1);
    net.iotlbInvalidate(0, -1);
    all.forEach(iommu::map);
    net.iotlbMapped(0, -1);
  }

  private long replacePage(int slot) {
    long fresh = free.remove();
    assertPoisoned(fresh);
    long old = pageOf[slot];
    pageOf[slot] = fresh;
    return old;
  }

  /** The page is somebody else's now. */
  private void reuse(long page) {
    poison(page);
    free.add(page);
  }

  private void poison(long page) {
    byte[] bytes = new byte[(int) PAGE];
    Arrays.fill(bytes, POISON);
    memory.copyIn(page, bytes);
  }

  private void assertPoisoned(long page) {
    byte[] bytes = new byte[(int) PAGE];
    memory.copyOut(page, bytes);
    for (int i = 0; i < bytes.length; i++) {
      assertThat(bytes[i])
          .as("byte %d of page 0x%x, written after its invalidation had returned", i, page)
          .isEqualTo(POISON);
    }
  }

  /** Fails if the back end has written into a page that it was told to forget. */
  void assertNothingWrittenElsewhere() {
    free.forEach(this::assertPoisoned);
  }

  @Override
  public void close() {
    watch.close();
    net.close();
    eventfds.forEach(RingEventfds::close);
    memory.close();
  }
}
