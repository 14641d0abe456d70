package io.github.jvhost.mediate.keep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
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

  private static final HandedDescriptors NOTHING_HANDED =
      HandedDescriptors.of(Map.of(), DescriptorLedger.tracing());

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
    return SystemdStore.of(environment, NOTHING_HANDED, PATIENCE).orElseThrow();
  }

  @Test
  void withoutAServiceManagerThereIsNone() {
    assertThat(SystemdStore.of(Map.of(), NOTHING_HANDED, PATIENCE)).isEmpty();
    assertThat(SystemdStore.of(Map.of("NOTIFY_SOCKET", ""), NOTHING_HANDED, PATIENCE)).isEmpty();
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
            SystemdStore.of(Map.of("NOTIFY_SOCKET", address), NOTHING_HANDED, Duration.ofMillis(50))
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

  @ParameterizedTest
  @CsvSource({
    "NOTIFY_SOCKET, vsock:2:1234",
    "NOTIFY_SOCKET, relative",
    "FDSTORE, many",
    "FDSTORE, -1",
  })
  void anEnvironmentThatMakesNoSenseIsSaid(String variable, String value) {
    var environment = new HashMap<String, String>();
    environment.put("NOTIFY_SOCKET", "/run/nobody");
    environment.put(variable, value);

    assertThatThrownBy(() -> SystemdStore.of(environment, NOTHING_HANDED, PATIENCE))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining(variable)
        .hasMessageContaining(value);
  }
}
