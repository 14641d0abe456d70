package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.FlightRecording;
import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.SourceReport;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import jdk.jfr.consumer.RecordedEvent;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A migration's window, told by a flight recording and by both sides' reports: one clock. */
@Timeout(120)
class RecordedMigrationTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private static List<String> phases(FlightRecording recording, String side) {
    return recording.events("Phase").stream()
        .filter(e -> side.equals(e.getString("side")) && e.getString("part") == null)
        .map(e -> e.getString("phase"))
        .toList();
  }

  private static RecordedEvent phase(FlightRecording recording, String side, String phase) {
    return recording.events("Phase").stream()
        .filter(e -> side.equals(e.getString("side")) && e.getString("part") == null)
        .filter(e -> e.getString("phase").equals(phase))
        .findFirst()
        .orElseThrow();
  }

  private static RecordedEvent part(FlightRecording recording, String side, String part) {
    return recording.events("Phase").stream()
        .filter(e -> side.equals(e.getString("side")) && part.equals(e.getString("part")))
        .findFirst()
        .orElseThrow();
  }

  private static void spans(RecordedEvent event, long fromNanos, long toNanos) {
    assertThat(event.getLong("startNanos")).isEqualTo(fromNanos);
    assertThat(event.getLong("endNanos")).isEqualTo(toNanos);
  }

  @Test
  void theRecordingAndTheReportsSayTheSame() throws Exception {
    try (var recording = FlightRecording.start();
        var directory = SocketDirectory.create();
        var hosts = new StillHosts(directory.path(), ledger);
        Host target = hosts.target();
        var links = Links.connect(directory.path().resolve("m"))) {
      var arriving =
          new FutureTask<>(() ->
              StillHosts.arrive(
                  target.devices(),
                  target,
                  new StillHosts.Vm(false),
                  links.destination(),
                  PresetupMode.IMPLICIT));
      Thread.ofPlatform().daemon().start(arriving);
      SourceReport left = hosts.leave(links.source(), true);
      DestinationReport arrived = arriving.get(30, TimeUnit.SECONDS);

      String[] all = {"SETUP", "ITERATE", "STOP", "HAND_OVER", "DONE"};
      assertThat(phases(recording, "source")).containsExactly(all);
      assertThat(phases(recording, "destination")).containsExactly(all);
      spans(phase(recording, "source", "HAND_OVER"), left.committedNanos(), left.runningNanos());
      spans(part(recording, "source", "stop rings"), left.pausedNanos(), left.stoppedNanos());
      spans(
          part(recording, "source", "last pages and states"),
          left.stoppedNanos(),
          left.committedNanos());
      assertThat(phase(recording, "destination", "HAND_OVER").getLong("startNanos"))
          .isEqualTo(arrived.finalNanos());
      assertThat(arrived.lastFinalNanos()).isBetween(arrived.finalNanos(), arrived.restoredNanos());
      spans(
          part(recording, "destination", "restore"), arrived.finalNanos(), arrived.restoredNanos());
      spans(
          part(recording, "destination", "start"), arrived.restoredNanos(), arrived.startedNanos());
      spans(
          part(recording, "destination", "resume"), arrived.startedNanos(), arrived.resumedNanos());

      Outcome start = arrived.starts().getFirst().outcome();
      String device = target.devices().getFirst().name();
      List<RecordedEvent> plans =
          recording.events("Plan", device).stream()
              .filter(e -> e.getLong("startNanos") == start.startNanos())
              .toList();
      assertThat(plans)
          .singleElement()
          .satisfies(e -> {
            assertThat(e.getBoolean("prepared")).isTrue();
            assertThat(e.getInt("messages")).isEqualTo(start.messages());
            assertThat(e.getLong("endNanos")).isEqualTo(start.endNanos());
          });
      List<String> told = hosts.toldToTarget();
      assertThat(recording.sent(device, start.startNanos(), start.endNanos()))
          .isNotEmpty()
          .hasSize(start.messages())
          .isEqualTo(
              told.subList(
                  told.lastIndexOf("GET_STATUS") + 1 - start.messages(),
                  told.lastIndexOf("GET_STATUS") + 1));
      assertThat(recording.events("Fallback")).isEmpty();
    }
  }

  @Test
  void aMigrationThatFailsSaysInWhichPhaseAndWhy() throws Exception {
    try (var recording = FlightRecording.start();
        var directory = SocketDirectory.create();
        var hosts = new StillHosts(directory.path(), ledger);
        Host target = hosts.targetWithMemory(32 << 20);
        var links = Links.connect(directory.path().resolve("m"))) {
      var arriving =
          new FutureTask<>(() ->
              StillHosts.arrive(
                  target.devices(),
                  target,
                  new StillHosts.Vm(false),
                  links.destination(),
                  PresetupMode.IMPLICIT));
      Thread.ofPlatform().daemon().start(arriving);
      assertThatThrownBy(() -> hosts.leave(links.source(), true))
          .isInstanceOf(MigrationException.class);
      assertThatThrownBy(() -> arriving.get(30, TimeUnit.SECONDS)).isNotNull();

      for (String side : List.of("source", "destination")) {
        assertThat(phases(recording, side)).containsExactly("SETUP");
        assertThat(phase(recording, side, "SETUP").getString("failure"))
            .contains("guest memory differs");
      }
    }
  }
}
