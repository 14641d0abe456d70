package io.github.jvhost.vhost.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.io.Mapping;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

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

  private static final Path LIMITS = Path.of("/proc/self/limits");
  private static final String LOCKED = "Max locked memory";

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

  VdpaMemory(DeviceFile file, String path, boolean batches) {
    this.file = file;
    this.path = path;
    this.batches = batches;
  }

  void add(MemoryRegion region, Mapping mapping) {
    touch(mapping.segment());
    begin();
    for (long at = 0; at < region.size(); at += PIECE) {
      long size = Math.min(PIECE, region.size() - at);
      if (!send(UPDATE, region.guestAddress() + at, size, mapping.address() + at)) {
        end();
        throw refused("map", region, at);
      }
    }
    end();
  }

  void remove(MemoryRegion region) {
    begin();
    boolean done = send(INVALIDATE, region.guestAddress(), region.size(), 0);
    end();
    if (!done) {
      throw refused("unmap", region, 0);
    }
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

  private void end() {
    if (batches) {
      send(END, 0, 0, 0);
    }
  }

  private boolean send(byte operation, long guestAddress, long size, long userAddress) {
    MemorySegment message = file.scratch().asSlice(0, BYTES).fill((byte) 0);
    message.set(JAVA_INT, 0, TYPE_V2);
    message.set(JAVA_LONG, 8, guestAddress);
    message.set(JAVA_LONG, 16, size);
    message.set(JAVA_LONG, 24, userAddress);
    message.set(JAVA_BYTE, 32, operation == UPDATE ? READ_AND_WRITE : 0);
    message.set(JAVA_BYTE, 33, operation);
    return file.write(message);
  }

  /** The kernel gives the same errno for every reason, so the message has all of them. */
  private VhostException refused(String what, MemoryRegion region, long at) {
    return new VhostException(
        ("%s memory region %s for %s: the kernel refused it at offset 0x%x. Either another mapping"
                + " overlaps it; or the device pins memory, and this process may lock only %s"
                + " (RLIMIT_MEMLOCK); or the memory lies in more pieces than"
                + " vhost_vdpa.max_iotlb_entries allows: huge pages make fewer")
            .formatted(what, region, path, at, lockedLimit()),
        Recovery.GIVE_UP);
  }

  /** As /proc says it: "8388608 bytes". */
  private static String lockedLimit() {
    try {
      return Files.readAllLines(LIMITS).stream()
          .filter(line -> line.startsWith(LOCKED))
          .map(line -> line.substring(LOCKED.length()).strip().split("\\s+", 2)[0] + " bytes")
          .findFirst()
          .orElse("an unknown number of bytes");
    } catch (IOException e) {
      return "an unknown number of bytes";
    }
  }
}
