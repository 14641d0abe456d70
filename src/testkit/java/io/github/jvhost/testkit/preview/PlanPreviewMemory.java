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
 * The addresses of a guest's RAM, for a {@link PlanPreview}. They are assumed, because a migration
 * stream contains only the size.
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
 * <p>The machine virt of ARM, of any version (virt-11.1), has all RAM in one piece from 1 GiB on
 * (hw/arm/virt.c). Other processors have a machine of that name too, with RAM at other addresses.
 * RISC-V and LoongArch call it virt without a version, so it is not mistaken for ARM's. The one of
 * the 68000 also has versions, and its RAM begins at 0 (hw/m68k/virt.c). It is recognized by the
 * default name of its RAM.
 *
 * <p>These rules are from QEMU's hw/i386/pc_piix.c and pc_q35.c, for machine types from 2.0 on, and
 * from microvm.c, from 5.1 on, without max-ram-below-4g. This class leaves out: the windows below 1
 * MiB, because of which a back end is sent low memory in more than one region; hot-plugged memory;
 * and, from machine type 7.1 on, guests of nearly 1 TiB or more with an AMD processor, where the
 * rest begins at 1 TiB.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param regions 1 to 512 regions that do not overlap, in any order; the record sorts them by
 *     address
 */
public record PlanPreviewMemory(List<Region> regions) {
  private static final long GIB = 1L << 30;
  private static final long ABOVE = 4 * GIB;

  /**
   * One region of RAM.
   *
   * @param address guest-physical, a multiple of 4096
   * @param size in bytes, a multiple of 4096, not 0
   */
  public record Region(long address, long size) {
    /**
     * Checks the ranges.
     *
     * @throws VhostException (GIVE_UP) when no guest can have such a region
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
   * @throws VhostException (GIVE_UP) when there are none or too many, or two overlap
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
   * {@return memory in one piece from address 0 on}
   *
   * @param bytes all RAM, a multiple of 4096, not 0
   * @throws VhostException (GIVE_UP) when it is no such number
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
   * {@return memory as the machine of that name lays it out} For any machine but these four, all
   * RAM is assumed to begin at address 0.
   *
   * @param machine its name, as the configuration section of a stream has it: "pc-q35-7.2"
   * @param block the name of its RAM, as the stream lists it: "pc.ram"; "" if it is not known
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
   * {@return memory with this layout, which takes no pages until it is written; the caller closes
   * it}
   *
   * @param ledger lists its descriptors
   * @throws VhostException when the kernel refuses that much memory
   */
  public GuestMemory allocate(DescriptorLedger ledger) {
    GuestMemory.Builder memory = GuestMemory.builder(ledger);
    for (Region region : regions) {
      memory.region("RAM at 0x%x".formatted(region.address()), region.address(), region.size());
    }
    return memory.build();
  }
}
