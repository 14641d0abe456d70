package io.github.jvhost.mediate.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.mediate.peer.GuestRam.Found;
import io.github.jvhost.mediate.peer.GuestRam.Pid;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.FileStat;
import io.github.jvhost.testkit.process.ChildProcess;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The memory of a real QEMU, whose guest does not run. */
class GuestRamOfQemuTest {
  private static final String PROGRAM = "qemu-system-x86_64";
  private static final long NODE = 64L << 20;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @BeforeEach
  void isInstalled() {
    assumeTrue(ChildProcess.find(PROGRAM).isPresent(), PROGRAM + " is not installed");
  }

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private static ChildProcess qemu(String... memory) {
    List<String> command = new ArrayList<>(List.of(PROGRAM, "-accel", "tcg", "-S", "-nodefaults"));
    command.addAll(List.of("-display", "none", "-qmp", "stdio", "-m", "128M"));
    command.addAll(List.of(memory));
    ChildProcess qemu = ChildProcess.interactive(PROGRAM, command);
    Deadline soon = Deadline.after(Duration.ofMinutes(1));
    qemu.transcript().awaitText("\"QMP\"", 0, soon, "the start of QEMU");
    return qemu;
  }

  @ParameterizedTest
  @ValueSource(strings = {"memory-backend-memfd", "memory-backend-file,mem-path=/dev/shm"})
  void itIsFoundWithoutAName(String backend) {
    String object = backend + ",id=ram,share=on,size=128M";
    try (ChildProcess qemu = qemu("-object", object, "-machine", "pc,memory-backend=ram")) {
      assertFound(qemu, 2 * NODE);
    }
  }

  @Test
  void eachNodeHasItsFile() {
    String object = "memory-backend-memfd,share=on,size=64M,id=";
    try (ChildProcess qemu =
        qemu(
            "-object",
            object + "a",
            "-object",
            object + "b",
            "-machine",
            "pc",
            "-numa",
            "node,memdev=a",
            "-numa",
            "node,memdev=b")) {
      assertFound(qemu, NODE, NODE);
    }
  }

  private void assertFound(ChildProcess qemu, Long... sizes) {
    GuestRam.Result result = GuestRam.find(new Pid(qemu.pid()), List.of(sizes), ledger);
    assertThat(result).isInstanceOf(Found.class);
    List<OwnedDescriptor> files = ((Found) result).files();
    try {
      assertThat(files.stream().map(file -> FileStat.of(file).size())).containsExactly(sizes);
    } finally {
      files.forEach(OwnedDescriptor::close);
    }
  }
}
