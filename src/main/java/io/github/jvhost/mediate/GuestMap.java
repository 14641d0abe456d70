package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.mediate.peer.MemoryFileCheck;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.FileStat;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Guest memory, between the two ways of addressing it. The front end describes rings by its own
 * user addresses. The switch is sent user addresses that the mediator chooses:
 *
 * <pre>
 *   63        62                52 51                                0
 *   | 0       | serial, 1 to 1023 | guest address                     |
 * </pre>
 *
 * <p>A region keeps its serial as long as guest address, size, offset and file stay. Any other
 * region gets the next serial. DPDK compares tables by guest address, size and user address, and
 * not by file: a table with another file and the same addresses would be taken for the old one.
 *
 * <p>It owns the files of its regions. One thread at a time.
 */
final class GuestMap implements AutoCloseable {
  private static final int SERIALS = 1023;
  private static final int SERIAL_SHIFT = 52;

  /** The front end has not described the region yet; it was predicted. */
  private static final long NO_ADDRESS = -1;

  private List<Mapped> regions = List.of();
  private MemoryTable table = MemoryTable.EMPTY;
  private int serial;

  private record Mapped(MemoryRegion region, FileStat file, long frontEndAddress) {
    boolean is(long guestAddress, long size, long offset, FileStat other) {
      return region.guestAddress() == guestAddress
          && region.size() == size
          && region.fileOffset() == offset
          && file.isSameFile(other);
    }
  }

  /**
   * A region that is predicted or was described.
   *
   * @param guestAddress of its first byte
   * @param size in bytes
   * @param offset in its file, in bytes
   * @param frontEndAddress user address of the front end; {@link #NO_ADDRESS} if it is not known
   * @param file taken over
   */
  private record Part(
      long guestAddress, long size, long offset, long frontEndAddress, OwnedDescriptor file) {}

  /** {@return the regions as the switch is sent them} */
  MemoryTable table() {
    return table;
  }

  /** {@return whether the front end has described memory, which no prediction may replace then} */
  boolean isDescribed() {
    return regions.stream().anyMatch(m -> m.frontEndAddress() != NO_ADDRESS);
  }

  /**
   * Takes the table of a SET_MEM_TABLE.
   *
   * @param files one a region, taken over, also if this throws
   * @return files that no region needs any more; the caller closes them once no plan that names
   *     them is under way
   * @throws VhostException (GIVE_UP) if a region cannot be passed on; nothing has changed then
   */
  List<OwnedDescriptor> replace(MemoryTablePayload described, List<OwnedDescriptor> files) {
    List<Part> parts = new ArrayList<>();
    for (int i = 0; i < described.regions().size(); i++) {
      MemoryRegionPayload r = described.regions().get(i);
      parts.add(
          new Part(r.guestAddress(), r.size(), r.mmapOffset(), r.userAddress(), files.get(i)));
    }
    return replace(parts);
  }

  /**
   * Takes other regions.
   *
   * @param parts their files are taken over, also if this throws
   * @return files that no region needs any more
   * @throws VhostException (GIVE_UP) if the regions are no memory table; nothing has changed then
   */
  private List<OwnedDescriptor> replace(List<Part> parts) {
    int next = serial % SERIALS + 1;
    List<Mapped> now = new ArrayList<>();
    boolean done = false;
    try {
      for (Part part : parts) {
        now.add(mapped(part, next));
      }
      MemoryTable taken = new MemoryTable(now.stream().map(Mapped::region).toList());
      List<OwnedDescriptor> unused = unused(parts, now);
      serial = next;
      regions = List.copyOf(now);
      table = taken;
      done = true;
      return unused;
    } catch (IllegalArgumentException e) {
      throw new VhostException(
          "the front end's memory table cannot be passed on: " + e.getMessage(),
          Recovery.GIVE_UP,
          e);
    } finally {
      if (!done) {
        parts.forEach(part -> part.file().close());
      }
    }
  }

  private Mapped mapped(Part part, int next) {
    MemoryFileCheck.require(part.file(), part.offset(), part.size());
    FileStat file = FileStat.of(part.file());
    for (Mapped known : regions) {
      if (known.is(part.guestAddress(), part.size(), part.offset(), file)) {
        return new Mapped(known.region(), file, part.frontEndAddress());
      }
    }
    var region =
        new MemoryRegion(
            nameOf(part.guestAddress()),
            part.guestAddress(),
            part.size(),
            ((long) next << SERIAL_SHIFT) | part.guestAddress(),
            part.offset(),
            part.file());
    return new Mapped(region, file, part.frontEndAddress());
  }

  /** The old regions' files and the new parts' files that no region of the new table has. */
  private List<OwnedDescriptor> unused(List<Part> parts, List<Mapped> now) {
    // By identity: two descriptors of one file are equal.
    Set<OwnedDescriptor> used = Collections.newSetFromMap(new IdentityHashMap<>());
    now.forEach(m -> used.add(m.region().file()));
    List<OwnedDescriptor> unused = new ArrayList<>();
    for (Mapped old : regions) {
      if (!used.contains(old.region().file())) {
        unused.add(old.region().file());
      }
    }
    for (Part part : parts) {
      if (!used.contains(part.file())) {
        unused.add(part.file());
      }
    }
    return unused;
  }

  /**
   * {@return the guest address of a front end's address; null if no region of the front end has it}
   *
   * @param frontEndAddress user address of the front end
   */
  @Nullable Long guestAddress(long frontEndAddress) {
    for (Mapped m : regions) {
      long offset = frontEndAddress - m.frontEndAddress();
      if (m.frontEndAddress() != NO_ADDRESS && offset >= 0 && offset < m.region().size()) {
        return m.region().guestAddress() + offset;
      }
    }
    return null;
  }

  /**
   * {@return the region and the place in its file of {@code [guestAddress, +length)}; null if it is
   * not within one region}
   */
  @Nullable MemoryRegion regionOf(long guestAddress, long length) {
    return table.contains(guestAddress, length) ? table.regionOf(guestAddress, length) : null;
  }

  /**
   * Takes regions that another mediator, or an earlier start, has predicted.
   *
   * @param predicted as it was shipped
   * @param files by the numbers of the prediction; taken over
   * @return files that no region needs any more
   * @throws VhostException (GIVE_UP) if the regions do not lie in these files
   */
  List<OwnedDescriptor> predict(List<Hint.Region> predicted, List<OwnedDescriptor> files) {
    List<Part> parts = new ArrayList<>();
    boolean named = false;
    try {
      for (Hint.Region r : predicted) {
        OwnedDescriptor file = files.get(r.file()).duplicate();
        parts.add(new Part(r.guestAddress(), r.size(), r.fileOffset(), NO_ADDRESS, file));
      }
      named = true;
    } finally {
      files.forEach(OwnedDescriptor::close);
      if (!named) {
        parts.forEach(part -> part.file().close());
      }
    }
    return replace(parts);
  }

  /** {@return the regions as they are shipped: files by number} */
  List<Hint.Region> hinted() {
    List<FileStat> files = new ArrayList<>();
    List<Hint.Region> hinted = new ArrayList<>();
    for (Mapped m : regions) {
      int file = 0;
      while (file < files.size() && !files.get(file).isSameFile(m.file())) {
        file++;
      }
      if (file == files.size()) {
        files.add(m.file());
      }
      hinted.add(
          new Hint.Region(
              m.region().guestAddress(),
              m.region().size(),
              m.region().fileOffset(),
              file,
              m.file().size()));
    }
    return hinted;
  }

  /** {@return the regions, for a mediator that takes over} */
  List<SavedNic.Region> saved(NicSaver saver) {
    List<SavedNic.Region> saved = new ArrayList<>();
    for (Mapped m : regions) {
      // A service manager keeps one descriptor of a file that came twice.
      OwnedDescriptor file =
          regions.stream()
              .filter(other -> other.file().isSameFile(m.file()))
              .findFirst()
              .orElse(m)
              .region()
              .file();
      saved.add(
          new SavedNic.Region(
              m.region().guestAddress(),
              m.region().size(),
              m.region().fileOffset(),
              m.region().userAddress(),
              m.frontEndAddress(),
              saver.name(file)));
    }
    return saved;
  }

  int serial() {
    return serial;
  }

  /**
   * Takes up what an earlier mediator has saved.
   *
   * @param lastSerial that it had given
   * @param files gives the file of a name, which the map then owns
   * @throws VhostException (GIVE_UP) if the regions are no memory table
   */
  void restore(
      int lastSerial, List<SavedNic.Region> saved, Function<String, OwnedDescriptor> files) {
    serial = lastSerial;
    List<OwnedDescriptor> taken = new ArrayList<>();
    List<Mapped> restored = new ArrayList<>();
    boolean done = false;
    try {
      for (SavedNic.Region r : saved) {
        OwnedDescriptor file = files.apply(r.file());
        taken.add(file);
        restored.add(
            new Mapped(
                new MemoryRegion(
                    nameOf(r.guestAddress()),
                    r.guestAddress(),
                    r.size(),
                    r.userAddress(),
                    r.offset(),
                    file),
                FileStat.of(file),
                r.frontEndAddress()));
      }
      table = new MemoryTable(restored.stream().map(Mapped::region).toList());
      regions = List.copyOf(restored);
      done = true;
    } catch (IllegalArgumentException e) {
      throw new VhostException(
          "the memory table that was saved is none: " + e.getMessage(), Recovery.GIVE_UP, e);
    } finally {
      if (!done) {
        taken.forEach(OwnedDescriptor::close);
      }
    }
  }

  private static String nameOf(long guestAddress) {
    return "guest 0x" + Long.toHexString(guestAddress);
  }

  /** Forgets all regions and closes their files. */
  @Override
  public void close() {
    regions.forEach(m -> m.region().file().close());
    regions = List.of();
    table = MemoryTable.EMPTY;
  }
}
