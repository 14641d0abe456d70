package io.github.jvhost.vhost.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.io.Mapping;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The memory that a vDPA device finds at guest addresses: messages that are written to its file.
 * Each region is mapped in pieces within one batch.
 *
 * <p>Memory is touched before it is mapped. A device that pins it would otherwise have the kernel
 * find each page while it holds this process's lock for mappings, and the JVM would stand still: no
 * thread could be made, and the heap could not grow.
 */
final class VdpaMemory {
  /** One message pins no more than this, so that others get the lock for mappings in between. */
  private static final long PIECE = 16L << 20;

  /** Struct vhost_msg_v2. */
  private static final int BYTES = 72;

  private static final int TYPE_V2 = 2;
  private static final byte READ_AND_WRITE = 3;
  private static final byte UPDATE = 2;
  private static final byte INVALIDATE = 3;
  private static final byte BEGIN = 5;
  private static final byte END = 6;

  private final DeviceFile file;
  private final String path;
  private final boolean batches;
  private final int space;
  private final BooleanSupplier givenUp;

  /** Whether the device was seen to pin memory. */
  private boolean pins;

  /** What the device was told, and may use. */
  private final Map<MemoryRegion, Mapping> told = new LinkedHashMap<>();

  /**
   * Nothing is told yet.
   *
   * @param batches whether the device takes several messages as one
   * @param space number of the address space
   * @param givenUp whether nobody waits for this device any more
   */
  VdpaMemory(DeviceFile file, String path, boolean batches, int space, BooleanSupplier givenUp) {
    this.file = file;
    this.path = path;
    this.batches = batches;
    this.space = space;
    this.givenUp = givenUp;
  }

  /**
   * Checks whether a device that pins memory may be told more of it.
   *
   * @param more bytes, less those that are taken from it before
   * @throws VhostException (GIVE_UP) if this process may not lock so much
   */
  void requireMayLock(long more) {
    if (pins && more > 0) {
      LockedMemory now = LockedMemory.now();
      if (now.isTooLittleFor(more)) {
        throw new VhostException(
            "%s cannot be told more memory: %s".formatted(path, now.advice(more)),
            Recovery.GIVE_UP);
      }
    }
  }

  /**
   * Maps a region. Whether the device pins memory shows only when it has pinned the first piece. If
   * it does, and this process may not lock the rest, the region is refused before all of it is
   * touched. Of a region that is refused the device keeps nothing. If the device is given up
   * meanwhile, this ends behind a piece.
   */
  void add(MemoryRegion region, Mapping mapping) {
    LockedMemory before = LockedMemory.now();
    boolean tooLittle = before.isTooLittleFor(region.size());
    long at = 0;
    begin();
    try {
      while (at < region.size()) {
        if (givenUp.getAsBoolean()) {
          throw new VhostException(
              "%s was given up when 0x%x bytes of memory region %s were mapped"
                  .formatted(path, at, region),
              Recovery.RECONNECT);
        }
        long size = Math.min(PIECE, region.size() - at);
        if (!file.isDeaf()) {
          touch(mapping.segment().asSlice(at, size));
        }
        if (!send(UPDATE, region.guestAddress() + at, size, mapping.address() + at)) {
          throw refused("map", region, at, tooLittle ? before : null);
        }
        at += size;
        if (!pins && at == size) {
          pins = !file.isDeaf() && LockedMemory.now().pinned() > before.pinned();
        }
        if (tooLittle && pins) {
          throw refused("map", region, at, before);
        }
      }
      told.put(region, mapping);
    } finally {
      if (!told.containsKey(region) && at > 0) {
        send(INVALIDATE, region.guestAddress(), at, 0);
      }
      end();
    }
  }

  /** After a reset at which the device has lost all, which vhost does not notice. */
  void tellAgain() {
    for (Map.Entry<MemoryRegion, Mapping> one : List.copyOf(told.entrySet())) {
      remove(one.getKey());
      add(one.getKey(), one.getValue());
    }
  }

  void remove(MemoryRegion region) {
    begin();
    boolean done = send(INVALIDATE, region.guestAddress(), region.size(), 0);
    end();
    if (!done) {
      throw refused("unmap", region, 0, null);
    }
    told.remove(region);
  }

  private static void touch(MemorySegment memory) {
    long sum = 0;
    for (long at = 0; at < memory.byteSize(); at += MemoryRegion.PAGE) {
      sum += memory.get(JAVA_BYTE, at);
    }
    if (sum == Long.MIN_VALUE) {
      throw new AssertionError("a sum of bytes"); // so that the loop is not left out
    }
  }

  private void begin() {
    if (batches) {
      send(BEGIN, 0, 0, 0);
    }
  }

  /**
   * The device is told now. What it answers is lost: Linux ignores it. A batch with more pieces
   * than the simulator takes left that without memory, and nobody said so.
   */
  private void end() {
    if (batches) {
      send(END, 0, 0, 0);
    }
  }

  private boolean send(byte operation, long guestAddress, long size, long userAddress) {
    MemorySegment message = file.scratch().asSlice(0, BYTES).fill((byte) 0);
    message.set(JAVA_INT, 0, TYPE_V2);
    message.set(JAVA_INT, 4, space);
    message.set(JAVA_LONG, 8, guestAddress);
    message.set(JAVA_LONG, 16, size);
    message.set(JAVA_LONG, 24, userAddress);
    message.set(JAVA_BYTE, 32, operation == UPDATE ? READ_AND_WRITE : 0);
    message.set(JAVA_BYTE, 33, operation);
    return file.write(message);
  }

  /**
   * The kernel gives the same errno for every reason.
   *
   * @param locked if this process may lock too little for a device that pins memory; else null
   */
  private UnchangedException refused(
      String what, MemoryRegion region, long at, @Nullable LockedMemory locked) {
    String why =
        locked != null
            ? "if the device pins memory: " + locked.advice(region.size())
            : "either another mapping overlaps it; or the memory lies in more pieces than"
                + " vhost_vdpa.max_iotlb_entries allows: huge pages make fewer";
    return new UnchangedException(
        "%s memory region %s for %s: refused at offset 0x%x; %s"
            .formatted(what, region, path, at, why),
        Recovery.GIVE_UP);
  }
}
