package io.github.jvhost.mediate.peer;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What one mediator tells the other about one NIC, or keeps of it in a file. The constructors check
 * every range and throw a {@link VhostException} (GIVE_UP), because the values come from a front
 * end or from a peer. What they accept can be encoded, and can be planned with.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param nic its name, the same on both hosts: 1 to 64 of {@code A-Z a-z 0-9 . _ : -}
 * @param generation 0 or more; it grows with each hint of a NIC
 * @param what whether there is a configuration
 * @param content the configuration; null unless {@code what} is {@link What#CONFIGURATION}
 */
public record Hint(String nic, long generation, What what, @Nullable Content content) {
  /** The most bytes of an encoded hint, with its line feed. */
  public static final int MOST_BYTES = 64 * 1024;

  /** The most regions: what one SET_MEM_TABLE holds. */
  public static final int MOST_REGIONS = MemoryTablePayload.MAX_REGIONS;

  /** The most rings of a NIC. */
  public static final int MOST_RINGS = 512;

  private static final int MOST_ENTRIES = 32768;
  private static final int MOST_MTU = 65535;
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._:-]{1,64}");

  /** What a hint says. */
  public enum What {
    /** This is what the guest has. */
    CONFIGURATION,
    /** The migration is over and the guest stays where it is. */
    CANCELLED,
    /** The NIC was removed, or its front end left. */
    GONE
  }

  /** Checks the name and that there is a content exactly where one belongs. */
  public Hint {
    requireName(nic);
    if (generation < 0) {
      throw wrong("NIC " + nic + ": generation " + generation + " is negative");
    }
    if ((what == What.CONFIGURATION) != (content != null)) {
      throw wrong(
          "NIC "
              + nic
              + ": "
              + what
              + (content == null ? " without" : " with")
              + " a configuration");
    }
  }

  /**
   * Refuses a name that a hint cannot have.
   *
   * @param nic the name of a NIC, from the command line or from a peer
   * @throws VhostException (GIVE_UP) if it is empty, too long, or has other characters
   */
  public static void requireName(String nic) {
    if (!NAME.matcher(nic).matches()) {
      throw wrong(
          "a NIC's name has 1 to 64 of A-Z a-z 0-9 . _ : -, and this one has "
              + nic.length()
              + " characters, or others than these");
    }
  }

  /**
   * {@return a hint with a configuration}
   *
   * @param nic its name
   * @param generation 0 or more
   * @param content what the guest has
   */
  public static Hint configuration(String nic, long generation, Content content) {
    return new Hint(nic, generation, What.CONFIGURATION, content);
  }

  /**
   * {@return a hint that the migration is over}
   *
   * @param nic its name
   * @param generation 0 or more
   */
  public static Hint cancelled(String nic, long generation) {
    return new Hint(nic, generation, What.CANCELLED, null);
  }

  /**
   * {@return a hint that the NIC is no more}
   *
   * @param nic its name
   * @param generation 0 or more
   */
  public static Hint gone(String nic, long generation) {
    return new Hint(nic, generation, What.GONE, null);
  }

  /** {@return this hint as one line, with its line feed: at most {@link #MOST_BYTES}} */
  public byte[] encoded() {
    return HintJson.line(this);
  }

  /**
   * {@return the hint that {@link #encoded} wrote}
   *
   * @param line one JSON object; white space around it does no harm
   * @throws VhostException (GIVE_UP) if it is too long, no JSON, of another version, or no hint
   */
  public static Hint decode(byte[] line) {
    return HintJson.parse(line)
        .orElseThrow(() -> wrong("it is a sign of life and no hint, so nothing can be preset"));
  }

  /**
   * The configuration of a NIC.
   *
   * @param features what the driver acknowledged; it does not have VHOST_F_LOG_ALL
   * @param mtu 1 to 65535 bytes; null: none was told
   * @param regions in the front end's order, at most {@link #MOST_REGIONS}; files are numbered from
   *     0 in the order of their first region
   * @param rings those that the driver has set up, in the order of their numbers, at most {@link
   *     #MOST_RINGS}
   */
  public record Content(
      long features, @Nullable Integer mtu, List<Region> regions, List<Ring> rings) {
    /** Copies the lists and checks what no part can check by itself. */
    public Content {
      regions = List.copyOf(regions);
      rings = List.copyOf(rings);
      if ((features & VhostFeature.LOG_ALL) != 0) {
        throw wrong("features 0x%x have VHOST_F_LOG_ALL".formatted(features));
      }
      if (mtu != null) {
        between("MTU", mtu, 1, MOST_MTU);
      }
      between("number of regions", regions.size(), 0, MOST_REGIONS);
      between("number of rings", rings.size(), 0, MOST_RINGS);
      fileSizesOf(regions);
      requireApart(regions);
      boolean packed = NetFeature.RING_PACKED.in(features);
      int last = -1;
      for (Ring ring : rings) {
        if (ring.number() <= last) {
          throw wrong("ring " + ring.number() + " comes after ring " + last);
        }
        last = ring.number();
        ring.requireIn(regions, packed);
      }
    }

    /** {@return the size in bytes of each distinct file, by its number} */
    public List<Long> fileSizes() {
      return fileSizesOf(regions);
    }

    /**
     * {@return the ring of this number; empty if the driver has not set it up}
     *
     * @param number 0 to 511
     */
    public Optional<Ring> ring(int number) {
      return rings.stream().filter(ring -> ring.number() == number).findFirst();
    }
  }

  /**
   * A region of guest memory, and the part of a file that holds it.
   *
   * @param guestAddress of its first byte, a multiple of 4096, below 2^52
   * @param size in bytes, a multiple of 4096, not 0
   * @param fileOffset where it begins in the file, a multiple of 4096
   * @param file number of the file, 0 to 7
   * @param fileSize of the whole file in bytes, at least {@code fileOffset + size}
   */
  public record Region(long guestAddress, long size, long fileOffset, int file, long fileSize) {
    /** Checks alignment and ranges. */
    public Region {
      if (((guestAddress | size | fileOffset) & (MemoryRegion.PAGE - 1)) != 0) {
        throw wrong(
            "the region at 0x%x of %d bytes, at %d of its file, is not aligned to %d bytes"
                .formatted(guestAddress, size, fileOffset, MemoryRegion.PAGE));
      }
      between("guest address", guestAddress, 0, MemoryRegion.ADDRESS_LIMIT - 1);
      between("size of a region", size, 1, MemoryRegion.ADDRESS_LIMIT - guestAddress);
      between("number of a file", file, 0, MOST_REGIONS - 1);
      between("size of a file", fileSize, 1, Long.MAX_VALUE);
      if (fileOffset < 0 || size > fileSize - fileOffset) {
        throw wrong(
            "the region at 0x%x has %d bytes at %d of a file of %d bytes"
                .formatted(guestAddress, size, fileOffset, fileSize));
      }
    }

    private boolean contains(long gpa, long length) {
      return gpa >= guestAddress && gpa - guestAddress <= size - length;
    }
  }

  /**
   * A ring that the driver has set up.
   *
   * @param number of the vring, 0 to 511
   * @param size number of entries, 1 to 32768
   * @param addresses guest addresses of its parts
   * @param enabled the last SET_VRING_ENABLE
   */
  public record Ring(int number, int size, RingAddresses addresses, boolean enabled) {
    /** Checks the ranges. {@link Content} checks what depends on its features and its regions. */
    public Ring {
      between("number of a ring", number, 0, MOST_RINGS - 1);
      between("size of a ring", size, 1, MOST_ENTRIES);
    }

    /** Sizes and alignments are those of virtio 1.2, "Split Virtqueues", "Packed Virtqueues". */
    private void requireIn(List<Region> regions, boolean packed) {
      if (!packed && Integer.bitCount(size) != 1) {
        throw wrong("ring " + number + " is split and has " + size + " entries, no power of two");
      }
      require(regions, "descriptors", addresses.descriptor(), 16, 16L * size);
      require(regions, "used part", addresses.used(), 4, packed ? 4 : 6 + 8L * size);
      require(
          regions,
          "available part",
          addresses.available(),
          packed ? 4 : 2,
          packed ? 4 : 6 + 2L * size);
    }

    private void require(List<Region> regions, String part, long address, int align, long length) {
      if (address % align != 0) {
        throw wrong(
            "ring %d: its %s at 0x%x are not aligned to %d bytes"
                .formatted(number, part, address, align));
      }
      if (regions.stream().noneMatch(region -> region.contains(address, length))) {
        throw wrong(
            "ring %d: its %s, %d bytes at 0x%x, are in no region"
                .formatted(number, part, length, address));
      }
    }
  }

  private static List<Long> fileSizesOf(List<Region> regions) {
    List<Long> sizes = new ArrayList<>();
    for (Region region : regions) {
      if (region.file() == sizes.size()) {
        sizes.add(region.fileSize());
      } else if (region.file() > sizes.size()) {
        throw wrong("file " + region.file() + " is named before file " + sizes.size());
      } else if (sizes.get(region.file()) != region.fileSize()) {
        throw wrong(
            "file %d has %d bytes, and %d bytes"
                .formatted(region.file(), sizes.get(region.file()), region.fileSize()));
      }
    }
    return List.copyOf(sizes);
  }

  private static void requireApart(List<Region> regions) {
    for (int i = 0; i < regions.size(); i++) {
      Region a = regions.get(i);
      for (Region b : regions.subList(0, i)) {
        if (a.guestAddress() < b.guestAddress() + b.size()
            && b.guestAddress() < a.guestAddress() + a.size()) {
          throw wrong(
              "the regions at 0x%x and 0x%x overlap".formatted(a.guestAddress(), b.guestAddress()));
        }
      }
    }
  }

  static void between(String what, long value, long least, long most) {
    if (value < least || value > most) {
      throw wrong("%s %d is not between %d and %d".formatted(what, value, least, most));
    }
  }

  static VhostException wrong(String problem) {
    return new VhostException("a hint about a NIC is refused: " + problem, Recovery.GIVE_UP);
  }
}
