package io.github.jvhost.mediate.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.mediate.peer.GuestRam.Found;
import io.github.jvhost.mediate.peer.GuestRam.NotFound;
import io.github.jvhost.mediate.peer.GuestRam.Paths;
import io.github.jvhost.mediate.peer.GuestRam.Peer;
import io.github.jvhost.mediate.peer.GuestRam.Pid;
import io.github.jvhost.mediate.peer.GuestRam.PidFile;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.FileStat;
import io.github.jvhost.sys.io.Linux;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.PeerCredentials;
import io.github.jvhost.testkit.process.ChildProcess;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A shell in the place of QEMU opens memory files of this process for itself. */
class GuestRamTest {
  private static final long SIZE = 12 * 4096;
  private static final long OTHER = 20 * 4096;
  private static final String READ = "<";
  private static final String READ_WRITE = "<>";

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  @TempDir Path directory;
  private ChildProcess qemu;
  private MemoryFile a;
  private MemoryFile b;
  private MemoryFile c;

  @BeforeEach
  void start() {
    qemu = ChildProcess.interactive("shell", List.of("/bin/sh"));
    a = MemoryFile.create(ledger, "a", SIZE);
    b = MemoryFile.create(ledger, "b", SIZE);
    c = MemoryFile.create(ledger, "c", OTHER);
  }

  @AfterEach
  void nothingIsLeftOpen() {
    qemu.close();
    a.close();
    b.close();
    c.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private void holds(int descriptor, String how, MemoryFile file) {
    holds(
        descriptor,
        how,
        Path.of(
            "/proc/%d/fd/%d".formatted(ProcessHandle.current().pid(), file.descriptor().number())));
  }

  private void holds(int descriptor, String how, Path file) {
    qemu.type("exec " + descriptor + how + file + " && echo has " + descriptor);
    Deadline soon = Deadline.after(Duration.ofSeconds(20));
    qemu.transcript().awaitText("has " + descriptor, 0, soon, "the file being opened");
  }

  private GuestRam.Result find(long... sizes) {
    return find(new Pid(qemu.pid()), sizes);
  }

  private GuestRam.Result find(GuestRam.Source source, long... sizes) {
    return GuestRam.find(source, Arrays.stream(sizes).boxed().toList(), ledger);
  }

  private static void assertFound(GuestRam.Result result, MemoryFile... files) {
    assertThat(result)
        .isInstanceOfSatisfying(
            Found.class,
            found -> {
              try {
                assertThat(found.files().stream().map(FileStat::of))
                    .containsExactly(
                        Arrays.stream(files)
                            .map(file -> FileStat.of(file.descriptor()))
                            .toArray(FileStat[]::new));
                for (OwnedDescriptor file : found.files()) {
                  MemoryFileCheck.require(file, 0, FileStat.of(file).size());
                  assertThat(Linux.fcntl(file.number(), 1, 0)).as("close-on-exec").isEqualTo(1);
                }
              } finally {
                found.files().forEach(OwnedDescriptor::close);
              }
            });
  }

  private static String why(GuestRam.Result result) {
    assertThat(result).isInstanceOf(NotFound.class);
    return ((NotFound) result).why();
  }

  @Test
  void filesOfOneSizeAreTakenInTheOrderOfTheDescriptors() {
    holds(3, READ_WRITE, c);
    holds(7, READ_WRITE, b);
    holds(5, READ_WRITE, a);

    assertFound(find(SIZE), a);
    assertFound(find(SIZE, OTHER, SIZE), a, c, b);
    assertFound(find(OTHER), c);
    assertFound(find());
  }

  @Test
  void aFileThatIsHeldTwiceCountsOnce() {
    holds(3, READ_WRITE, a);
    holds(4, READ_WRITE, a);
    holds(5, READ_WRITE, b);

    assertFound(find(SIZE, SIZE), a, b);
  }

  @Test
  void aFileThatQemuMayOnlyReadIsNotTaken() {
    holds(3, READ, a);

    assertThat(why(find(SIZE)))
        .contains("0 of 1 files of memory of exactly " + SIZE + " bytes")
        .contains("1 of such sizes that are not")
        .contains("process " + qemu.pid());
    holds(4, READ_WRITE, b);
    assertFound(find(SIZE), b);
    holds(5, READ_WRITE, a);
    assertFound(find(SIZE, SIZE), b, a);
  }

  @Test
  void anotherSizeIsNotTakenAndNothingStaysOpenIfOneIsMissing() {
    holds(3, READ_WRITE, a);
    holds(4, READ_WRITE, c);

    assertThat(why(find(SIZE, OTHER, OTHER))).contains("1 of 2 files").contains("" + OTHER);
    assertThat(why(find(SIZE - 4096))).contains("0 of 1 files");
    assertThat(ledger.openCount()).as("of this test").isEqualTo(3);
  }

  @Test
  void aFileOfTmpfsWithoutANameIsMemory() throws IOException {
    Path shm = Path.of("/dev/shm");
    assumeTrue(Files.isWritable(shm), "no tmpfs at /dev/shm");
    Path file = Files.createTempFile(shm, "jvhost", "ram");
    try {
      lengthen(file);
      holds(3, READ_WRITE, file);
    } finally {
      Files.delete(file);
    }
    GuestRam.Result result = find(SIZE);
    assertThat(result).isInstanceOf(Found.class);
    ((Found) result).files().forEach(OwnedDescriptor::close);
  }

  private static void lengthen(Path file) throws IOException {
    try (var all = new RandomAccessFile(file.toFile(), "rw")) {
      all.setLength(SIZE);
    }
  }

  @Test
  void aDiskImageOfTheSizeOfTheMemoryIsNotTaken() throws IOException {
    assumeTrue(!Files.getFileStore(directory).type().equals("tmpfs"), "no disk");
    Path image = Files.createFile(directory.resolve("image"));
    lengthen(image);
    holds(3, READ_WRITE, image);

    assertThat(why(find(SIZE))).contains("0 of 1 files");
  }

  @Test
  void configuredPathsAreOpenedInTheirOrder() throws IOException {
    Path small = Files.createFile(directory.resolve("small"));
    Path ram = Files.createFile(directory.resolve("ram"));
    lengthen(ram);

    GuestRam.Result result = find(new Paths(List.of(small, ram)), SIZE);
    assertThat(result).isInstanceOf(Found.class);
    for (OwnedDescriptor file : ((Found) result).files()) {
      assertThat(FileStat.of(file).inode()).isEqualTo(Files.getAttribute(ram, "unix:ino"));
      file.close();
    }
    assertThat(why(find(new Paths(List.of(ram)), SIZE, SIZE))).contains("1 of 2 files");
    assertThat(why(find(new Paths(List.of(ram, directory.resolve("none"))), SIZE)))
        .contains("none")
        .contains("ENOENT");
    assertThat(why(find(new Paths(List.of(directory)), SIZE))).contains(directory.toString());
  }

  @Test
  void theProcessMayBeNamedByAFile() throws IOException {
    holds(3, READ_WRITE, a);
    Path file = directory.resolve("pid");

    assertThat(why(find(new PidFile(file), SIZE))).contains("there is no pid file " + file);
    Files.writeString(file, qemu.pid() + "\n");
    assertFound(find(new PidFile(file), SIZE), a);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0", "-1", "1 2", "../1", "99999999999", "x"})
  void aPidFileWithSomethingElseIsRefused(String content) throws IOException {
    Path file = directory.resolve("pid");
    Files.writeString(file, content);

    assertThat(why(find(new PidFile(file), SIZE))).contains("no number of a process");
  }

  @Test
  void theProcessMayBeTheOneAtTheOtherEndOfTheSocket() {
    holds(3, READ_WRITE, a);
    var peer = new PeerCredentials((int) qemu.pid(), 0, 0);

    assertFound(find(new Peer(peer, false), SIZE), a);
    assertThat(why(find(new Peer(peer, false), OTHER))).doesNotContain("libvirt");
    assertThat(why(find(new Peer(peer, true), OTHER))).contains("libvirt").contains("pid file");
    assertThat(why(find(new Peer(new PeerCredentials(0, 0, 0), false), SIZE)))
        .contains("pid namespace");
  }

  @Test
  void aProcessThatHasEndedIsNoProcess() {
    qemu.close();

    assertThat(why(find(SIZE))).contains("there is no process " + qemu.pid());
  }

  @Test
  void whoMayNotLookIsToldWhatIsMissing() {
    Optional<ProcessHandle> closed =
        ProcessHandle.allProcesses()
            .filter(process -> !Files.isReadable(Path.of("/proc/" + process.pid() + "/fd")))
            .filter(ProcessHandle::isAlive)
            .findFirst();
    assumeTrue(closed.isPresent(), "this user may look at every process");

    assertThat(why(find(new Pid(closed.get().pid()), SIZE))).contains("CAP_SYS_PTRACE");
  }
}
