package io.github.jvhost.mediate.keep;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Linux;
import io.github.jvhost.sys.io.Pipe;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Descriptors that this process was started with. */
class HandedDescriptorsTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeft() {
    assertThat(ledger.describeOpen()).isEmpty();
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
      var handed =
          HandedDescriptors.of(
              Map.of(
                  "LISTEN_PID", String.valueOf(ProcessHandle.current().pid()),
                  "LISTEN_FDS", "3",
                  "LISTEN_FDNAMES", "event:pipe:pipe"),
              ledger,
              first);

      Map<String, OwnedDescriptor> left = handed.takeUp();
      assertThat(left).containsOnlyKeys("event", "pipe");
      assertThat(requireNonNull(left.get("event")).number()).isEqualTo(first);
      assertThat(Linux.fcntl(first, 1, 0)).as("F_GETFD").isEqualTo(Linux.FD_CLOEXEC);
      assertThat(Linux.fcntl(third, 1, 0)).as("the second of a name").isEqualTo(-Linux.EBADF);
      assertThat(handed.takeUp()).isEmpty();
      left.values().forEach(OwnedDescriptor::close);
    }
  }

  private static int highDuplicate(OwnedDescriptor of, int from) {
    return Linux.fcntl(of.number(), Linux.F_DUPFD_CLOEXEC, from);
  }

  @Test
  void whatIsForAnotherProcessIsLeftAlone() {
    var forAnother = Map.of("LISTEN_PID", "1", "LISTEN_FDS", "what");
    assertThat(HandedDescriptors.of(forAnother, ledger).takeUp()).isEmpty();
    assertThat(HandedDescriptors.of(Map.of("LISTEN_FDS", "1"), ledger).takeUp()).isEmpty();
  }

  @Test
  void oneThatIsNotOpenClosesTheOthers() {
    try (EventFd event = EventFd.create(ledger, "event")) {
      int first = highDuplicate(event.descriptor(), 900);
      var handed =
          HandedDescriptors.of(
              Map.of(
                  "LISTEN_PID", String.valueOf(ProcessHandle.current().pid()), "LISTEN_FDS", "2"),
              ledger,
              first);
      assertThatThrownBy(handed::takeUp)
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("EBADF");
      assertThat(Linux.fcntl(first, 1, 0)).isEqualTo(-Linux.EBADF);
    }
  }

  @ParameterizedTest
  @CsvSource({"LISTEN_FDS, 4097", "LISTEN_FDS, -1", "LISTEN_FDS, x", "LISTEN_FDS, 2"})
  void anEnvironmentThatMakesNoSenseIsSaid(String variable, String value) {
    var environment = new HashMap<String, String>();
    environment.put("LISTEN_PID", String.valueOf(ProcessHandle.current().pid()));
    environment.put("LISTEN_FDNAMES", "one");
    environment.put(variable, value);

    assertThatThrownBy(() -> HandedDescriptors.of(environment, ledger))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining(variable)
        .hasMessageContaining(value);
  }
}
