package io.github.jvhost.testkit.preview;

import static java.util.stream.Collectors.joining;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.sys.DescriptorLedger;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Where a guest has its RAM, for a {@link PlanPreview}. A migration stream says how much there is
 * and not where it lies, so that is an assumption.
 *
 * <pre>
 *   guest address   0           low              4 GiB
 *                   |  RAM      |  devices        |  the rest of RAM
 *
 *   QEMU machine    splits RAM              into low, and the rest
 *   pc (i440fx)     of 3.5 GiB and more     3 GiB
 *   q35             of 2.75 GiB and more    2 GiB
 *   microvm         of more than 3 GiB      3 GiB
 * </pre>
 *
 * <p>The machine virt of ARM, of any version (virt-11.1), has all of it from 1 GiB on, in one piece
 * (hw/arm/virt.c). On other processors there is a machine of that name, too, whose RAM lies
 * elsewhere: RISC-V and LoongArch call it virt without a version, so they are not mistaken for it.
 * The 68000's has versions, too, and its RAM from 0 on (hw/m68k/virt.c): it is known by the name of
 * its RAM, where nobody chose another one.
 *
 * <p>So QEMU has it in hw/i386/pc_piix.c and pc_q35.c for machine types from 2.0 on, and in
 * microvm.c from 5.1 on, where nobody said max-ram-below-4g. What it does beside that is left out:
 * the windows below 1 MiB, for which a back end is told of low memory in more than one region;
 * memory that was plugged in; and, from machine type 7.1 on, a guest of nearly 1 TiB or more with
 * an AMD processor, where the rest begins at 1 TiB.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param regions 1 to 512, none of which overlap; in any order when given, sorted by address
 *     afterwards
 */
public record PlanPreviewMemory(List<Region> regions) {
  private static final long GIB = 1L << 30;
  private static final long ABOVE = 4 * GIB;

  /**
   * One stretch of RAM.
   *
   * @param address guest-physical, a multiple of 4096
   * @param size in bytes, a multiple of 4096, not 0
   */
  public record Region(long address, long size) {
    /**
     * Checks the ranges.
     *
     * @throws VhostException (GIVE_UP) no guest has such a region
     */
    public Region {
      boolean aligned = ((address | size) & (MemoryRegion.PAGE - 1)) == 0;
      boolean inRange = address >= 0 && size > 0 && size <= MemoryRegion.ADDRESS_LIMIT - address;
      if (!aligned || !inRange) {
        throw new VhostException(
            "guest memory of %d bytes at 0x%x: that is no number of 4 KiB pages within 52 bits"
                .formatted(size, address),
            Recovery.GIVE_UP);
      }
    }

    private long end() {
      return address + size;
    }

    @Override
    public String toString() {
      return "0x%x..0x%x".formatted(address, end() - 1);
    }
  }

  /**
   * Sorts the regions.
   *
   * @throws VhostException (GIVE_UP) there are none or too many, or two overlap
   */
  public PlanPreviewMemory {
    List<Region> sorted = new ArrayList<>(regions);
    sorted.sort(Comparator.comparingLong(Region::address));
    if (sorted.isEmpty() || sorted.size() > MemoryTable.MAX_REGIONS) {
      throw new VhostException(
          "guest memory of %d regions: there have to be 1 to %d"
              .formatted(sorted.size(), MemoryTable.MAX_REGIONS),
          Recovery.GIVE_UP);
    }
    for (int i = 1; i < sorted.size(); i++) {
      if (sorted.get(i).address() < sorted.get(i - 1).end()) {
        throw new VhostException(
            "guest memory at %s and at %s overlaps".formatted(sorted.get(i - 1), sorted.get(i)),
            Recovery.GIVE_UP);
      }
    }
    regions = List.copyOf(sorted);
  }

  /**
   * {@return memory that lies in one piece from address 0 on}
   *
   * @param bytes all RAM, a multiple of 4096, not 0
   * @throws VhostException (GIVE_UP) it is no such number
   */
  public static PlanPreviewMemory of(long bytes) {
    return new PlanPreviewMemory(List.of(new Region(0, bytes)));
  }

  /**
   * {@return memory as QEMU's machine pc, also known as i440fx, lays it out}
   *
   * @param bytes all RAM, a multiple of 4096, not 0
   */
  public static PlanPreviewMemory pc(long bytes) {
    return bytes >= 7 * GIB / 2 ? split(bytes, 3 * GIB) : of(bytes);
  }

  /**
   * {@return memory as QEMU's machine q35 lays it out}
   *
   * @param bytes all RAM, a multiple of 4096, not 0
   */
  public static PlanPreviewMemory q35(long bytes) {
    return bytes >= 11 * GIB / 4 ? split(bytes, 2 * GIB) : of(bytes);
  }

  /**
   * {@return memory as QEMU's machine microvm lays it out}
   *
   * @param bytes all RAM, a multiple of 4096, not 0
   */
  public static PlanPreviewMemory microvm(long bytes) {
    return bytes > 3 * GIB ? split(bytes, 3 * GIB) : of(bytes);
  }

  /**
   * {@return memory as QEMU's machine virt lays it out on ARM}
   *
   * @param bytes all RAM, a multiple of 4096, not 0
   */
  public static PlanPreviewMemory armVirt(long bytes) {
    return new PlanPreviewMemory(List.of(new Region(GIB, bytes)));
  }

  /**
   * {@return memory as the machine of that name lays it out} All RAM of a machine that is none of
   * the four is taken to lie from address 0 on.
   *
   * @param machine its name, as the configuration section of a stream has it: "pc-q35-7.2"
   * @param block the name of its RAM, as the stream lists it: "pc.ram"; "" where that is not known
   * @param bytes all RAM, a multiple of 4096, not 0
   */
  public static PlanPreviewMemory ofMachine(String machine, String block, long bytes) {
    if (machine.startsWith("microvm")) {
      return microvm(bytes);
    }
    if (machine.startsWith("q35") || machine.startsWith("pc-q35")) {
      return q35(bytes);
    }
    if (machine.startsWith("virt-") && !block.equals("m68k_virt.ram")) {
      return armVirt(bytes);
    }
    return machine.equals("pc") || machine.startsWith("pc-") ? pc(bytes) : of(bytes);
  }

  private static PlanPreviewMemory split(long bytes, long low) {
    return new PlanPreviewMemory(List.of(new Region(0, low), new Region(ABOVE, bytes - low)));
  }

  /** {@return the sum of all regions, in bytes} */
  public long totalBytes() {
    return regions.stream().mapToLong(Region::size).sum();
  }

  /** {@return the layout for people: "3072 MiB at 0x0..0xbfffffff, 0x100000000..0x13fffffff"} */
  public String describe() {
    return "%d MiB at %s"
        .formatted(
            totalBytes() >> 20, regions.stream().map(Region::toString).collect(joining(", ")));
  }

  /**
   * {@return memory laid out so, which costs nothing until somebody writes to it; the caller closes
   * it}
   *
   * @param ledger that counts its descriptors
   * @throws VhostException the kernel refuses that much
   */
  public GuestMemory allocate(DescriptorLedger ledger) {
    GuestMemory.Builder memory = GuestMemory.builder(ledger);
    for (Region region : regions) {
      memory.region("RAM at 0x%x".formatted(region.address()), region.address(), region.size());
    }
    return memory.build();
  }
}
