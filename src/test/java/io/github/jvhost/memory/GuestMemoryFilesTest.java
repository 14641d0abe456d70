package io.github.jvhost.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GuestMemoryFilesTest {
  private static final long GIB = 1L << 30;
  private static final long PAGE = MemoryRegion.PAGE;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void twoRegionsOfOneFileShareOneDescriptor() {
    try (GuestMemory memory =
        GuestMemory.builder(ledger)
            .file("ram", 0x20000)
            .region("low", 0, 0x10000, "ram", 0)
            .region("high", 4 * GIB, 0x10000, "ram", 0x10000)
            .build()) {
      assertThat(ledger.openCount()).isEqualTo(1);
      MemoryRegion low = memory.table().regionOf(0, 1);
      MemoryRegion high = memory.table().regionOf(4 * GIB, 1);
      assertThat(high.file()).isSameAs(low.file());
      assertThat(high.fileOffset()).isEqualTo(0x10000);
      memory.putLong(0xFFF8, 1);
      memory.putLong(4 * GIB, 2);
      try (MemoryFile peers = MemoryFile.adopt(low.file().duplicate());
          var all = peers.map(0, peers.size())) {
        assertThat(peers.size()).isEqualTo(0x20000);
        assertThat(all.segment().get(ValueLayout.JAVA_LONG, 0xFFF8)).isOne();
        assertThat(all.segment().get(ValueLayout.JAVA_LONG, 0x10000)).isEqualTo(2);
      }

      memory.removeRegion("low");
      assertThat(high.file().isOpen()).isTrue();
      assertThat(memory.getLong(4 * GIB)).isEqualTo(2);
      // A region that comes back out of the same file has its old content and descriptor.
      memory.addRegion("low", 0, 0x10000, high.file(), 0);
      assertThat(memory.getLong(0xFFF8)).isEqualTo(1);
      assertThat(ledger.openCount()).isEqualTo(1);
      assertThat(memory.table().regionOf(0, 1)).isEqualTo(low);

      memory.removeRegion("low");
      memory.removeRegion("high");
      assertThat(ledger.openCount()).as("the last region is gone").isZero();
    }
  }

  @Test
  void anEmbeddersDescriptorIsLent() {
    try (MemoryFile own = MemoryFile.create(ledger, "mine", 4 * PAGE)) {
      try (GuestMemory memory =
          GuestMemory.builder(ledger)
              .region("a", 0, PAGE, own.descriptor(), PAGE)
              .region("b", GIB, 2 * PAGE, own.descriptor(), 2 * PAGE)
              .build()) {
        assertThat(ledger.openCount()).isEqualTo(2);
        assertThat(memory.table().regionOf(GIB, 1).file())
            .isEqualTo(own.descriptor())
            .isNotSameAs(own.descriptor());
        memory.putByte(0, (byte) 9);
        try (var mapping = own.map(PAGE, PAGE)) {
          assertThat(mapping.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 9);
        }
      }
      assertThat(own.descriptor().isOpen()).isTrue();
      assertThat(ledger.openCount()).isEqualTo(1);
    }
  }

  @Test
  void whatDoesNotFitIsRefusedAndNothingStaysOpen() {
    try (MemoryFile own = MemoryFile.create(ledger, "mine", 4 * PAGE);
        GuestMemory memory =
            GuestMemory.builder(ledger).region("a", 0, PAGE, own.descriptor(), 0).build()) {
      OwnedDescriptor file = own.descriptor();
      MemoryTable before = memory.table();
      for (long[] beyond : new long[][] {{5, 0}, {2, 3}, {1, 4}, {1, 1L << 40}}) {
        assertThatThrownBy(
                () -> memory.addRegion("b", GIB, beyond[0] * PAGE, file, beyond[1] * PAGE))
            .isInstanceOfSatisfying(
                VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
            .hasMessageContaining("b 0x40000000")
            .hasMessageContaining("memfd mine");
      }
      assertThatThrownBy(() -> memory.addRegion("b", GIB, PAGE, file, 0))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("share bytes of");
      assertThatThrownBy(() -> memory.addRegion("b", GIB, PAGE, file, 1))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> memory.addRegion("b", GIB, PAGE, file, -PAGE))
          .isInstanceOf(IllegalArgumentException.class);
      assertThat(memory.table()).isEqualTo(before);
      assertThat(ledger.openCount()).isEqualTo(2);
      memory.removeRegion("a");
      assertThat(ledger.openCount()).isEqualTo(1);
    }
    GuestMemory.Builder builder =
        GuestMemory.builder(ledger).file("ram", PAGE).region("a", 0, PAGE, "ram", 0);
    assertThatThrownBy(() -> builder.region("b", GIB, PAGE, "rom", 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("no memory file rom");
    assertThat(ledger.openCount()).isZero();
    GuestMemory.Builder twice = GuestMemory.builder(ledger).file("ram", PAGE);
    assertThatThrownBy(() -> twice.file("ram", PAGE)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> twice.region("a", 0, PAGE)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aFileThatSomebodyCouldShortenIsRefused(@TempDir Path directory) throws IOException {
    Path path = directory.resolve("ram");
    Files.write(path, new byte[(int) PAGE]);
    try (FileChannel channel =
            FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
        OwnedDescriptor file =
            OwnedDescriptor.duplicateOf(ledger, numberOf(path), "file of a peer");
        GuestMemory memory = GuestMemory.builder(ledger).build()) {
      assertThat(channel.isOpen()).isTrue();
      assertThatThrownBy(() -> memory.addRegion("a", 0, PAGE, file, 0))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("file of a peer")
          .hasMessageContaining("not sealed against shrinking");
      assertThat(ledger.openCount()).isEqualTo(1);
    }
  }

  /** The number of this process's descriptor for a file. */
  private static int numberOf(Path file) throws IOException {
    try (Stream<Path> numbers = Files.list(Path.of("/proc/self/fd"))) {
      return numbers
          .filter(number -> {
            try {
              return Files.readSymbolicLink(number).equals(file.toAbsolutePath());
            } catch (IOException e) {
              return false; // closed since
            }
          })
          .mapToInt(number -> Integer.parseInt(number.getFileName().toString()))
          .findFirst()
          .orElseThrow();
    }
  }

  @Test
  void fiveHundredAndTwelveRegionsFromOneFile() {
    GuestMemory.Builder builder = GuestMemory.builder(ledger).file("ram", 512 * PAGE);
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < MemoryTable.MAX_REGIONS; i++) {
      order.add(i);
    }
    Collections.shuffle(order, new Random(7));
    for (int i : order) {
      builder.region("r" + i, 3L * i * PAGE, PAGE, "ram", i * PAGE);
    }
    try (GuestMemory memory = builder.build()) {
      assertThat(ledger.openCount()).isEqualTo(1);
      assertThat(memory.table().regions()).hasSize(512);
      for (int i = 0; i < 512; i++) {
        long gpa = 3L * i * PAGE;
        memory.putInt(gpa + PAGE - 4, i);
        assertThat(memory.getInt(gpa + PAGE - 4)).isEqualTo(i);
        assertThat(memory.table().regionOf(gpa, PAGE).name()).isEqualTo("r" + i);
        assertThatThrownBy(() -> memory.getByte(gpa + PAGE))
            .isInstanceOf(GuestAddressException.class);
      }
      assertThatThrownBy(() -> memory.addRegion("one more", 1L << 40, PAGE))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("513 memory regions");
      assertThat(ledger.openCount()).isEqualTo(1);
    }
  }

  @Test
  void aClosedMemoryTakesNoRegion() {
    GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, PAGE).build();
    memory.close();
    memory.close();
    assertThatThrownBy(() -> memory.addRegion("ram", 0, PAGE))
        .isInstanceOf(IllegalStateException.class);
  }

  /** Regions of a few files come and go at random; a file is open exactly while it has a region. */
  @Test
  void aFileIsOpenWhileItHasARegion() {
    for (long seed = 1; seed <= 20; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      int files = 3;
      int slots = 6;
      List<MemoryFile> own = new ArrayList<>();
      for (int f = 0; f < files; f++) {
        own.add(MemoryFile.create(ledger, "f" + f, slots * PAGE));
      }
      boolean[][] held = new boolean[files][slots];
      try (GuestMemory memory = GuestMemory.builder(ledger).build()) {
        for (int i = 0; i < 200; i++) {
          int f = random.nextInt(files);
          int slot = random.nextInt(slots);
          String name = "f" + f + "." + slot;
          if (held[f][slot]) {
            memory.removeRegion(name);
          } else {
            long gpa = (slot * files + f) * PAGE;
            memory.addRegion(name, gpa, PAGE, own.get(f).descriptor(), slot * PAGE);
          }
          held[f][slot] = !held[f][slot];
          int open = files;
          for (boolean[] regions : held) {
            open += contains(regions) ? 1 : 0;
          }
          assertThat(ledger.openCount()).as("seed %d, step %d", seed, i).isEqualTo(open);
        }
      }
      own.forEach(MemoryFile::close);
    }
  }

  private static boolean contains(boolean[] regions) {
    for (boolean held : regions) {
      if (held) {
        return true;
      }
    }
    return false;
  }
}
