package io.github.jvhost.mediate.keep;

import io.github.jvhost.Bytes;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.sys.io.Linux;
import io.github.jvhost.sys.io.MemoryFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * A file in memory with one content, which is replaced as a whole: a process that reads it after
 * the writer was killed finds the last content, or the one before, and never a mixture.
 *
 * <pre>
 *   0            16 MiB         32 MiB
 *   | slot 0     | slot 1       |          the file ends where its last slot's content ends
 *
 *   a slot, all numbers little-endian
 *   0              8          16       20       24
 *   | "jvhstate"   | sequence | length | CRC32C | content, length bytes
 *                    more than 0        of sequence, length, content
 * </pre>
 *
 * <p>A content is written to the slot that does not have the newest one, with the next sequence
 * number. Until the last byte is there the sum of that slot is wrong, and the other slot counts.
 * The file is neither mapped nor sealed: nobody who shortens it can make a process fault. Pages
 * between the slots are never written and take no memory.
 *
 * <p>It is in the {@link DescriptorStore}, under {@link #NAME}. One process writes. Thread-safe.
 */
public final class StateFile implements AutoCloseable {
  /** Its name in the store. */
  public static final String NAME = "state";

  private static final int SLOTS = 2;
  private static final int SLOT_BYTES = 16 << 20;
  private static final int HEADER_BYTES = 24;
  private static final int SEQUENCE_AT = 8;
  private static final int LENGTH_AT = 16;
  private static final int SUM_AT = 20;

  /** "jvhstate" as it is in the file, read as a number. */
  private static final long MAGIC = 0x65746174_7368766aL;

  /** The longest content, in bytes. */
  public static final int LONGEST = SLOT_BYTES - HEADER_BYTES;

  private final OwnedDescriptor descriptor;

  /** Where the newest content is, once this object has looked. Guarded by this. */
  private @Nullable Place newest;

  private StateFile(OwnedDescriptor descriptor) {
    this.descriptor = descriptor;
  }

  /**
   * {@return a new file without content, which the caller closes}
   *
   * @param ledger records its descriptor
   * @throws SystemCallException when no more descriptors are available
   */
  public static StateFile create(DescriptorLedger ledger) {
    String what = "memfd state";
    int number = Linux.check(Linux.memfdCreate("jvhost state"), "create " + what, "memfd_create");
    return new StateFile(OwnedDescriptor.adopt(ledger, number, what));
  }

  /**
   * {@return the file that an earlier process wrote, which the caller closes}
   *
   * @param descriptor from the store; this object owns it from now on
   */
  public static StateFile adopt(OwnedDescriptor descriptor) {
    return new StateFile(descriptor);
  }

  /** {@return the descriptor, for the store; this object still owns it} */
  public OwnedDescriptor descriptor() {
    return descriptor;
  }

  /**
   * Replaces the content, with one system call.
   *
   * @param content at most {@link #LONGEST} bytes, may be empty
   * @throws VhostException if it is longer, or the system has no memory; the earlier content stays
   */
  public synchronized void write(byte[] content) {
    if (content.length > LONGEST) {
      throw new VhostException(
          "saving the state: it has %d bytes, at most %d".formatted(content.length, LONGEST),
          Recovery.GIVE_UP);
    }
    Place last = newest == null ? newestSlot().map(Slot::place).orElse(Place.BEFORE_ALL) : newest;
    Place next = last.next();
    byte[] bytes = encoded(next.sequence(), content);
    for (int done = 0; done < bytes.length; ) {
      done +=
          (int)
              Linux.check(
                  Linux.pwrite(descriptor.number(), bytes, done, next.offset() + done),
                  "save the state in " + descriptor,
                  "pwrite");
    }
    newest = next;
  }

  /**
   * {@return the newest whole content; empty if there is none}
   *
   * @throws VhostException if this is no file that can be read at a position
   */
  public synchronized Optional<byte[]> read() {
    return newestSlot().map(slot -> slot.content().toArray());
  }

  /** Closes the descriptor. A second call does nothing. */
  @Override
  public void close() {
    descriptor.close();
  }

  /** A slot, and the number of the content that it has or will have. */
  private record Place(int index, long sequence) {
    /** The content that comes after this one is number 1, in slot 0. */
    static final Place BEFORE_ALL = new Place(SLOTS - 1, 0);

    Place next() {
      return new Place((index + 1) % SLOTS, sequence + 1);
    }

    long offset() {
      return (long) index * SLOT_BYTES;
    }
  }

  /** A slot whose content is whole. */
  private record Slot(Place place, Bytes content) {}

  private Optional<Slot> newestSlot() {
    return IntStream.range(0, SLOTS)
        .mapToObj(this::slot)
        .flatMap(Optional::stream)
        .max(Comparator.comparingLong(slot -> slot.place().sequence()));
  }

  private Optional<Slot> slot(int index) {
    long start = (long) index * SLOT_BYTES;
    byte[] header = new byte[HEADER_BYTES];
    if (MemoryFile.read(descriptor, start, header) < HEADER_BYTES) {
      return Optional.empty();
    }
    ByteBuffer fields = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
    long sequence = fields.getLong(SEQUENCE_AT);
    int length = fields.getInt(LENGTH_AT);
    if (fields.getLong(0) != MAGIC || sequence <= 0 || length < 0 || length > LONGEST) {
      return Optional.empty();
    }
    byte[] content = new byte[length];
    if (MemoryFile.read(descriptor, start + HEADER_BYTES, content) < length
        || fields.getInt(SUM_AT) != sum(header, content)) {
      return Optional.empty();
    }
    return Optional.of(new Slot(new Place(index, sequence), Bytes.copyOf(content)));
  }

  private static byte[] encoded(long sequence, byte[] content) {
    byte[] bytes = new byte[HEADER_BYTES + content.length];
    ByteBuffer fields = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    fields.putLong(MAGIC).putLong(sequence).putInt(content.length);
    fields.putInt(sum(bytes, content)).put(content);
    return bytes;
  }

  private static int sum(byte[] header, byte[] content) {
    CRC32C crc = new CRC32C();
    crc.update(header, SEQUENCE_AT, SUM_AT - SEQUENCE_AT);
    crc.update(content);
    return (int) crc.getValue();
  }
}
