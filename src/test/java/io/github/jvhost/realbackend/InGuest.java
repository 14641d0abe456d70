package io.github.jvhost.realbackend;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.testkit.process.ChildProcess;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDevice;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.VirtioNet;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** What the checks in a {@link KernelGuest} have in common. */
abstract class InGuest {
  private static final int DESCRIPTORS = 512;

  final DescriptorLedger ledger;

  InGuest(DescriptorLedger ledger) {
    this.ledger = ledger;
  }

  final VhostDeviceOptions at(BackEndAddress address) {
    return VhostDeviceOptions.of("net", address, Dialect.UPSTREAM, BackEndProfile.GENERIC, ledger);
  }

  /** Connects a device, which has to be refused. */
  final void connect(VirtioNet model, VhostDeviceOptions options) {
    List<RingEventfds> eventfds = RingEventfds.create(ledger, "net", 2 * model.maxQueuePairs());
    try (var memory = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build()) {
      VhostNet.connect(model, memory, eventfds, options).close();
    } finally {
      eventfds.forEach(RingEventfds::close);
    }
  }

  /** Sets a limit of this process: {@code --nofile=512:}. */
  static void limit(String limit) {
    run("prlimit", "--pid", String.valueOf(ProcessHandle.current().pid()), limit);
  }

  /** Runs a program, which has to succeed. */
  static void run(String... words) {
    try (ChildProcess program = ChildProcess.leashed(words[0], List.of(words), Map.of())) {
      assertThat(program.awaitExit(NetMachine.deadline())).isTrue();
      assertThat(program.exitValue()).as(program.lastLines()).isZero();
    }
  }

  /** What comes of something that is done by another user. It is done as root before. */
  static Throwable asUser(int user, ThrowingCallable work) {
    var _ = catchThrowable(work); // so that all classes are there
    become(user);
    try {
      return catchThrowable(work);
    } finally {
      become(0);
    }
  }

  @SuppressWarnings("restricted")
  private static void become(int user) {
    Linker linker = Linker.nativeLinker();
    MethodHandle seteuid =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("seteuid"),
            FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    assertThatCode(() -> assertThat((int) seteuid.invokeExact(user)).isZero())
        .doesNotThrowAnyException();
  }

  /**
   * Connects with no descriptor to spare, with one, and so on, until that works. What fails has to
   * leave no descriptor open and nothing mapped.
   */
  final void runsOutOfDescriptors(VhostDeviceOptions options) {
    VhostDevice.connect(options).close(); // so that all classes are there
    limit("--nofile=" + DESCRIPTORS + ":");
    int open = ledger.openCount();
    long mapped = mappedFiles();
    int failures = 0;
    while (!connects(options, failures)) {
      failures++;
      assertThat(ledger.describeOpen()).as("with %d", failures - 1).hasSize(open);
      assertThat(mappedFiles()).as("mapped with %d", failures - 1).isEqualTo(mapped);
    }
    assertThat(failures).isGreaterThan(3);
  }

  private static boolean connects(VhostDeviceOptions options, int spare) {
    Deque<EventFd> taken = new ArrayDeque<>();
    try {
      takeAll(taken);
      for (int i = 0; i < spare; i++) {
        taken.pop().close();
      }
      VhostDevice.connect(options).close();
      return true;
    } catch (VhostException e) {
      assertThat(e).hasMessageContaining("too many open files");
      return false;
    } finally {
      taken.forEach(EventFd::close);
    }
  }

  private static void takeAll(Deque<EventFd> taken) {
    DescriptorLedger ledger = DescriptorLedger.counting();
    while (taken.size() < DESCRIPTORS) {
      try {
        taken.push(EventFd.create(ledger, "taken"));
      } catch (VhostException e) {
        return;
      }
    }
  }

  /** How many mappings of files without a name this process has. */
  private static long mappedFiles() {
    try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
      return maps.filter(line -> line.contains("memfd:")).count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
