package io.github.jvhost.vhost.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a device is told of memory, if it refuses some of it. */
class VdpaMemoryTest {
  private static final long PIECE = 16L << 20;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final List<String> told = new ArrayList<>();

  /** How many more maps are taken. */
  private int takes;

  /** Nobody waits any more when so much was told. */
  private int gaveUpAfter = Integer.MAX_VALUE;

  private final DeviceFile file =
      new DeviceFile(EventFd.create(ledger, "device").descriptor()) {
        @Override
        boolean isDeaf() {
          return true; // so that no memory is touched
        }

        @Override
        int tryCall(Ioctl call, long value) {
          return 0;
        }

        @Override
        boolean write(MemorySegment message) {
          long from = message.get(JAVA_LONG, 8);
          String range = " 0x%x..0x%x".formatted(from, from + message.get(JAVA_LONG, 16));
          return switch (message.get(JAVA_BYTE, 33)) {
            case 2 -> takes-- > 0 && told.add("map" + range);
            case 3 -> told.add("unmap" + range);
            default -> true;
          };
        }
      };
  private final VdpaMemory memory =
      new VdpaMemory(file, "/dev/vhost-vdpa-9", true, 0, () -> told.size() >= gaveUpAfter);

  @AfterEach
  void close() {
    file.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** Else it could not be told of the region again: its first piece would overlap with itself. */
  @Test
  void ofARegionThatIsRefusedTheDeviceKeepsNothing() {
    try (OwnMemory region = OwnMemory.at(1L << 32, 3 * PIECE, "region", ledger)) {
      takes = 2;
      assertThatThrownBy(() -> memory.add(region.region(), region.mapping()))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("refused at offset 0x2000000");
      assertThat(told)
          .containsExactly(
              "map 0x100000000..0x101000000",
              "map 0x101000000..0x102000000",
              "unmap 0x100000000..0x102000000");
      told.clear();
      assertThatThrownBy(() -> memory.add(region.region(), region.mapping()))
          .hasMessageContaining("refused at offset 0x0");
      assertThat(told).as("somebody else's map may be there").isEmpty();
    }
  }

  /** Else a device with much memory could not be opened again for a long time. */
  @Test
  void whatIsGivenUpEndsBehindAPieceAndTakesItsPiecesBack() {
    try (OwnMemory region = OwnMemory.at(1L << 32, 3 * PIECE, "region", ledger)) {
      takes = 9;
      gaveUpAfter = 1;
      assertThatThrownBy(() -> memory.add(region.region(), region.mapping()))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("given up when 0x1000000 bytes of memory region");
      assertThat(told)
          .containsExactly("map 0x100000000..0x101000000", "unmap 0x100000000..0x101000000");

      gaveUpAfter = Integer.MAX_VALUE;
      memory.add(region.region(), region.mapping());
      told.clear();
      gaveUpAfter = 2; // behind the first piece that is told again
      assertThatThrownBy(memory::tellAgain).hasMessageContaining("given up when 0x1000000 bytes");
      assertThat(told)
          .containsExactly(
              "unmap 0x100000000..0x103000000",
              "map 0x100000000..0x101000000",
              "unmap 0x100000000..0x101000000");
    }
  }

  /** They are made anew at the next presetup, and not looked for where they are not. */
  @Test
  void standInRingsThatAreRefusedAreMadeAnew() {
    var rings = new StandInRings(file, "/dev/vhost-vdpa-9", memory, -1, ledger);
    assertThatThrownBy(() -> rings.put(0, 256)).isInstanceOf(VhostException.class);
    assertThat(ledger.describeOpen()).as("but the device").hasSize(1);
    takes = 1;
    rings.put(0, 256);
    assertThat(told).containsExactly("map 0x7ffffff00000..0x7ffffff02000");
    assertThatThrownBy(() -> rings.put(0, 1024)).isInstanceOf(VhostException.class);
    takes = 1;
    rings.put(0, 256);
    assertThat(told)
        .as("what was there before is gone")
        .endsWith("map 0x7ffffff00000..0x7ffffff02000")
        .hasSize(3);
    rings.close();
  }
}
