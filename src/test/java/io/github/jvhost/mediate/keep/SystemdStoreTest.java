package io.github.jvhost.mediate.keep;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Linux;
import io.github.jvhost.sys.io.Pipe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** systemd's protocol, with a service manager that only receives. */
@Timeout(60)
class SystemdStoreTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private Path directory;

  @BeforeEach
  void makeRoom() throws Exception {
    directory = Files.createTempDirectory("jvhost");
  }

  @AfterEach
  void nothingIsLeft() throws Exception {
    assertThat(ledger.describeOpen()).isEmpty();
    Files.delete(directory);
  }

  private SystemdStore store(Map<String, String> environment) {
    return SystemdStore.of(environment, ledger, PATIENCE).orElseThrow();
  }

  private static SystemdStore handed(
      DescriptorLedger ledger, int first, Map<String, String> environment) {
    var all = new HashMap<>(environment);
    all.put("NOTIFY_SOCKET", "/run/nobody");
    return SystemdStore.of(all, ledger, PATIENCE, first).orElseThrow();
  }

  @Test
  void withoutAServiceManagerThereIsNone() {
    assertThat(SystemdStore.of(Map.of(), ledger, PATIENCE)).isEmpty();
    assertThat(SystemdStore.of(Map.of("NOTIFY_SOCKET", ""), ledger, PATIENCE)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"path", "abstract"})
  void eachCallIsOneDatagram(String kind) {
    String address =
        kind.equals("path")
            ? directory.resolve("notify").toString()
            : "@jvhost-" + UUID.randomUUID();
    try (var systemd = ServiceManager.at(address, ledger);
        EventFd event = EventFd.create(ledger, "event");
        var store = store(Map.of("NOTIFY_SOCKET", address))) {
      store.put("net0.kick 1", event.descriptor());
      ServiceManager.Notice put = systemd.next();
      assertThat(put.assignments()).containsExactly("FDSTORE=1", "FDNAME=net0.kick 1", "FDPOLL=0");
      assertThat(put.descriptors()).hasSize(1);
      event.signal();
      try (EventFd same = EventFd.adopt(put.descriptors().getFirst())) {
        assertThat(same.drain()).isEqualTo(1);
      }

      store.remove("net0.kick 1");
      ServiceManager.Notice removed = systemd.next();
      assertThat(removed.assignments()).containsExactly("FDSTOREREMOVE=1", "FDNAME=net0.kick 1");
      assertThat(removed.descriptors()).isEmpty();

      store.ready("two NICs\nREADY=0");
      assertThat(systemd.next().assignments())
          .containsExactly("READY=1", "STATUS=two NICs READY=0");
    }
  }

  @Test
  void aPutUnderANameThatItHasRemovesTheOldOneFirst() {
    String address = directory.resolve("notify").toString();
    try (var systemd = ServiceManager.at(address, ledger);
        EventFd event = EventFd.create(ledger, "event");
        var store = store(Map.of("NOTIFY_SOCKET", address))) {
      store.put("a", event.descriptor());
      store.put("a", event.descriptor());
      systemd.next().close();
      assertThat(systemd.next().assignments()).startsWith("FDSTOREREMOVE=1");
      ServiceManager.Notice second = systemd.next();
      assertThat(second.assignments()).startsWith("FDSTORE=1");
      second.close();
    }
  }

  @Test
  void moreThanSystemdTakesIsRefusedHere() {
    String address = directory.resolve("notify").toString();
    try (var systemd = ServiceManager.at(address, ledger);
        EventFd event = EventFd.create(ledger, "event");
        var store = store(Map.of("NOTIFY_SOCKET", address, "FDSTORE", "1"))) {
      store.put("a", event.descriptor());
      assertThatThrownBy(() -> store.put("b", event.descriptor()))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("FileDescriptorStoreMax=");
      store.remove("a");
      store.put("b", event.descriptor());
      for (int i = 0; i < 3; i++) {
        systemd.next().close();
      }
    }
  }

  @Test
  void aServiceManagerThatIsGoneOrReadsNothingIsAFailureInTime() {
    String address = directory.resolve("notify").toString();
    try (EventFd event = EventFd.create(ledger, "event");
        var store =
            SystemdStore.of(Map.of("NOTIFY_SOCKET", address), ledger, Duration.ofMillis(50))
                .orElseThrow()) {
      assertThatThrownBy(() -> store.put("a", event.descriptor()))
          .isInstanceOf(VhostException.class)
          .satisfies(e -> assertThat(((VhostException) e).recovery()).isEqualTo(Recovery.RETRY));
      try (var _ = ServiceManager.at(address, ledger)) {
        assertThatThrownBy(
                () -> {
                  // The kernel keeps a bounded number of datagrams that nobody reads.
                  for (int i = 0; i < 100_000; i++) {
                    store.remove("a");
                  }
                })
            .isInstanceOf(DeadlineException.class);
      }
    }
  }

  @Test
  void whatAnEarlierProcessLeftIsTakenUpByNumber() {
    try (Pipe pipe = Pipe.open(ledger, "test");
        EventFd event = EventFd.create(ledger, "event")) {
      // Numbers in a row, as systemd hands them over, where nothing else is.
      int first = highDuplicate(event.descriptor(), 900);
      int second = highDuplicate(pipe.readEnd(), first + 1);
      int third = highDuplicate(pipe.readEnd(), second + 1);
      assertThat(List.of(second, third)).containsExactly(first + 1, first + 2);
      var store =
          handed(
              ledger,
              first,
              Map.of(
                  "LISTEN_PID", String.valueOf(ProcessHandle.current().pid()),
                  "LISTEN_FDS", "3",
                  "LISTEN_FDNAMES", "event:pipe:pipe"));

      Map<String, OwnedDescriptor> left = store.takeUp();
      assertThat(left).containsOnlyKeys("event", "pipe");
      assertThat(requireNonNull(left.get("event")).number()).isEqualTo(first);
      assertThat(Linux.fcntl(first, 1, 0)).as("F_GETFD").isEqualTo(Linux.FD_CLOEXEC);
      assertThat(Linux.fcntl(third, 1, 0)).as("the second of a name").isEqualTo(-Linux.EBADF);
      assertThat(store.takeUp()).isEmpty();
      left.values().forEach(OwnedDescriptor::close);
    }
  }

  private static int highDuplicate(OwnedDescriptor of, int from) {
    return Linux.fcntl(of.number(), Linux.F_DUPFD_CLOEXEC, from);
  }

  @Test
  void whatIsForAnotherProcessIsLeftAlone() {
    assertThat(handed(ledger, 3, Map.of("LISTEN_PID", "1", "LISTEN_FDS", "what")).takeUp())
        .isEmpty();
    assertThat(handed(ledger, 3, Map.of("LISTEN_FDS", "1")).takeUp()).isEmpty();
  }

  @Test
  void oneThatIsNotOpenClosesTheOthers() {
    try (EventFd event = EventFd.create(ledger, "event")) {
      int first = highDuplicate(event.descriptor(), 900);
      var store =
          handed(
              ledger,
              first,
              Map.of(
                  "LISTEN_PID", String.valueOf(ProcessHandle.current().pid()), "LISTEN_FDS", "2"));
      assertThatThrownBy(store::takeUp)
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("EBADF");
      assertThat(Linux.fcntl(first, 1, 0)).isEqualTo(-Linux.EBADF);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "NOTIFY_SOCKET, vsock:2:1234",
    "NOTIFY_SOCKET, relative",
    "FDSTORE, many",
    "FDSTORE, -1",
    "LISTEN_FDS, 4097",
    "LISTEN_FDS, -1",
    "LISTEN_FDS, x",
    "LISTEN_FDS, 2",
  })
  void anEnvironmentThatMakesNoSenseIsSaid(String variable, String value) {
    var environment = new HashMap<String, String>();
    environment.put("NOTIFY_SOCKET", "/run/nobody");
    environment.put("LISTEN_PID", String.valueOf(ProcessHandle.current().pid()));
    environment.put("LISTEN_FDNAMES", "one");
    environment.put("LISTEN_FDS", "1");
    environment.put(variable, value);

    assertThatThrownBy(() -> SystemdStore.of(environment, ledger, PATIENCE))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining(variable)
        .hasMessageContaining(value);
  }
}
