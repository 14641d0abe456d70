package io.github.jvhost.testkit.preview;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.preview.PlanPreviewMemory.Region;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where QEMU's machines have their RAM. */
class PlanPreviewMemoryTest {
  private static final long MIB = 1 << 20;
  private static final long GIB = 1 << 30;
  private static final long PAGE = 4096;

  @Test
  void aSmallGuestHasAllOfItFromZeroOn() {
    List<Region> all = List.of(new Region(0, 2 * GIB));

    assertThat(PlanPreviewMemory.pc(2 * GIB).regions()).isEqualTo(all);
    assertThat(PlanPreviewMemory.q35(2 * GIB).regions()).isEqualTo(all);
    assertThat(PlanPreviewMemory.microvm(2 * GIB).regions()).isEqualTo(all);
  }

  @Test
  void eachMachineSplitsElsewhere() {
    assertThat(PlanPreviewMemory.pc(8 * GIB).regions())
        .containsExactly(new Region(0, 3 * GIB), new Region(4 * GIB, 5 * GIB));
    assertThat(PlanPreviewMemory.q35(8 * GIB).regions())
        .containsExactly(new Region(0, 2 * GIB), new Region(4 * GIB, 6 * GIB));
    assertThat(PlanPreviewMemory.microvm(8 * GIB).regions())
        .containsExactly(new Region(0, 3 * GIB), new Region(4 * GIB, 5 * GIB));
  }

  @Test
  void eachMachineSplitsFromAnotherSizeOn() {
    assertThat(PlanPreviewMemory.pc(3584 * MIB - PAGE).regions()).hasSize(1);
    assertThat(PlanPreviewMemory.pc(3584 * MIB).regions())
        .containsExactly(new Region(0, 3 * GIB), new Region(4 * GIB, 512 * MIB));
    assertThat(PlanPreviewMemory.q35(2816 * MIB - PAGE).regions()).hasSize(1);
    assertThat(PlanPreviewMemory.q35(2816 * MIB).regions())
        .containsExactly(new Region(0, 2 * GIB), new Region(4 * GIB, 768 * MIB));
    assertThat(PlanPreviewMemory.microvm(3 * GIB).regions()).hasSize(1);
    assertThat(PlanPreviewMemory.microvm(3 * GIB + PAGE).regions())
        .containsExactly(new Region(0, 3 * GIB), new Region(4 * GIB, PAGE));
  }

  @Test
  void aMachineIsFoundByTheNameInItsStream() {
    long ram = 8 * GIB;

    assertThat(PlanPreviewMemory.ofMachine("pc-q35-7.2", "pc.ram", ram))
        .isEqualTo(PlanPreviewMemory.q35(ram));
    assertThat(PlanPreviewMemory.ofMachine("pc-i440fx-7.2", "pc.ram", ram))
        .isEqualTo(PlanPreviewMemory.pc(ram));
    assertThat(PlanPreviewMemory.ofMachine("microvm", "microvm.ram", ram))
        .isEqualTo(PlanPreviewMemory.microvm(ram));
    assertThat(PlanPreviewMemory.ofMachine("virt-7.2", "mach-virt.ram", ram).regions())
        .containsExactly(new PlanPreviewMemory.Region(0x40000000L, ram));
    assertThat(PlanPreviewMemory.ofMachine("virt", "riscv_virt_board.ram", ram))
        .as("RISC-V and LoongArch have it elsewhere")
        .isEqualTo(PlanPreviewMemory.of(ram));
    assertThat(PlanPreviewMemory.ofMachine("virt-7.2", "m68k_virt.ram", ram))
        .isEqualTo(PlanPreviewMemory.of(ram));
  }

  @Test
  void itIsDescribedInOneLine() {
    assertThat(PlanPreviewMemory.pc(4 * GIB).describe())
        .isEqualTo("4096 MiB at 0x0..0xbfffffff, 0x100000000..0x13fffffff");
  }

  @Test
  void memoryOfATerabyteIsLaidOutLikeAnyOther() {
    DescriptorLedger ledger = DescriptorLedger.tracing();

    try (GuestMemory memory = PlanPreviewMemory.q35(1024 * GIB).allocate(ledger)) {
      assertThat(memory.table().regions())
          .extracting(MemoryRegion::guestAddress)
          .containsExactly(0L, 4 * GIB);
    }

    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void sizesThatNoGuestHasAreRefused() {
    for (long bytes : new long[] {0, -PAGE, 1000, Long.MAX_VALUE, 1L << 53}) {
      assertThatThrownBy(() -> PlanPreviewMemory.of(bytes))
          .as("%d bytes", bytes)
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("guest memory of %d bytes at 0x0".formatted(bytes));
    }
    assertThatThrownBy(() -> new PlanPreviewMemory(List.of())).isInstanceOf(VhostException.class);
    assertThatThrownBy(
            () -> new PlanPreviewMemory(List.of(new Region(PAGE, PAGE), new Region(0, 2 * PAGE))))
        .isInstanceOf(VhostException.class)
        .hasMessage("guest memory at 0x0..0x1fff and at 0x1000..0x1fff overlaps");
  }
}
