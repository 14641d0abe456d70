package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.FlightRecording;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import jdk.jfr.consumer.RecordedEvent;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a flight recording shows of devices. */
@Timeout(120)
class FlightRecordingTest {
  private static final BackEndOffer PRESETUP =
      BackEndOffer.of(Personality.VFE).withDialect(Configs.WITH_PRESETUP);

  @TempDir private Path dir;

  private static void preset(Rig rig, boolean prepared) {
    rig.driveAll();
    assertThat(rig.presetup(PresetupMode.EXPLICIT)).allMatch(PresetupResult::done);
    for (VhostNet net : rig.nets) {
      assertThat(prepared && net.migration().prepareStart(net.snapshot())).isEqualTo(prepared);
    }
    rig.ringsAreAtSomeIndex();
  }

  /** Planned when due and made ahead of time, a window shows what its back ends were told. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aWindowShowsEveryMessage(boolean prepared) throws Exception {
    try (var recording = FlightRecording.start();
        Rig rig = new Rig(dir, 2, PRESETUP, BackEndProfile.GENERIC)) {
      preset(rig, prepared);
      List<Integer> marks = rig.backEnds.stream().map(b -> b.record().mark()).toList();

      List<StartResult> results = VhostNetGroup.start(rig.nets, StartOrder.PLANNED);

      for (int i = 0; i < results.size(); i++) {
        String device = "net" + i;
        Outcome outcome = results.get(i).outcome();
        long from = outcome.startNanos();
        long to = outcome.endNanos();
        assertThat(recording.sent(device, from, to))
            .isEqualTo(rig.names(i, marks.get(i), outcome.messages()));
        sizesAreRight(
            recording.messages(device, "sent", from, to).toList(),
            rig.backEnds.get(i).record().since(marks.get(i)));
        List<RecordedEvent> received = recording.messages(device, "received", from, to).toList();
        assertThat(received)
            .as("each acknowledgement, and the barrier's answer")
            .hasSize(1 + acknowledged(rig.backEnds.get(i), marks.get(i)));
        assertThat(received)
            .last()
            .satisfies(e -> {
              assertThat(e.getString("request")).isEqualTo("GET_STATUS");
              assertThat(e.getBoolean("reply")).isTrue();
              assertThat(e.getInt("bytes")).isEqualTo(20);
            });
        RecordedEvent plan = recording.events("Plan", device).getLast();
        planIsRight(plan, results.get(i), prepared);
        assertThat(recording.messages(device, "sent", from, to))
            .as("their own times lie in the plan's")
            .allMatch(e -> !e.getStartTime().isBefore(plan.getStartTime()))
            .allMatch(e -> !e.getEndTime().isAfter(plan.getEndTime()));
      }
      rig.noRuleWasBroken();
    }
  }

  private static int acknowledged(MockBackEnd backEnd, int mark) {
    return (int) backEnd.record().since(mark).stream().filter(m -> m.needReply()).count();
  }

  private static void sizesAreRight(List<RecordedEvent> events, List<RecordedMessage> told) {
    for (int i = 0; i < events.size(); i++) {
      RecordedEvent event = events.get(i);
      assertThat(event.getInt("descriptors")).isEqualTo(told.get(i).descriptors());
      assertThat(event.getBoolean("needReply")).isEqualTo(told.get(i).needReply());
      assertThat(event.getInt("bytes")).isEqualTo(12 + told.get(i).payload().size());
    }
  }

  private static void planIsRight(RecordedEvent event, StartResult result, boolean prepared) {
    Outcome outcome = result.outcome();
    assertThat(event.getBoolean("prepared")).isEqualTo(prepared);
    assertThat(event.getString("lifecycle")).isEqualTo("RUNNING");
    assertThat(event.getInt("steps")).isEqualTo(result.plan().steps().size());
    assertThat(event.getInt("stepsTaken")).isEqualTo(outcome.stepsTaken());
    assertThat(event.getInt("messages")).isEqualTo(outcome.messages());
    assertThat(event.getInt("waits")).isEqualTo(1);
    assertThat(event.getLong("startNanos")).isEqualTo(outcome.startNanos());
    assertThat(event.getLong("endNanos")).isEqualTo(outcome.endNanos());
    assertThat(event.getString("failure")).isNull();
  }

  /** One that begins when all is prepared finds a plan whose event was not begun with it. */
  @Test
  void aRecordingMayBeginLate() throws Exception {
    try (Rig rig = new Rig(dir, 1, PRESETUP, BackEndProfile.GENERIC)) {
      preset(rig, true);
      try (var recording = FlightRecording.start()) {
        Outcome outcome = VhostNetGroup.start(rig.nets, StartOrder.PLANNED).getFirst().outcome();

        assertThat(recording.sent("net0", outcome.startNanos(), outcome.endNanos()))
            .hasSize(outcome.messages());
        assertThat(recording.events("Plan", "net0"))
            .singleElement()
            .satisfies(e -> assertThat(e.getBoolean("prepared")).isTrue());
      }
    }
  }

  @Test
  void aRehearsalIsSilent() throws Exception {
    try (var recording = FlightRecording.start();
        Rig rig = new Rig(dir, 1, PRESETUP, BackEndProfile.GENERIC)) {
      preset(rig, true);
      try (RehearsalDevice actor = rig.net().migration().rehearsal(Rig.soon())) {
        actor.preset(PresetupMode.EXPLICIT, rig.net().snapshot());
        actor.prepareStart(rig.net().snapshot());
        actor.net().restore(rig.net().snapshot());
        assertThat(VhostNetGroup.start(List.of(actor.net()), StartOrder.PLANNED))
            .allMatch(StartResult::running);
      }
      assertThat(recording.events("Message")).isNotEmpty().allMatch(e -> isOf(e, "net0"));
      assertThat(recording.events("Plan")).isNotEmpty().allMatch(e -> isOf(e, "net0"));
    }
  }

  private static boolean isOf(RecordedEvent event, String device) {
    return device.equals(event.getString("device"));
  }

  /** The back end hangs up in the window: why, and what was done about it. */
  @Test
  void aSecondStartIsAFallback() throws Exception {
    try (var recording = FlightRecording.start();
        Rig rig = new Rig(dir, 1, PRESETUP, BackEndProfile.GENERIC)) {
      preset(rig, true);
      rig.backEnd().arm(Faults.none().atMessage(2, new Faults.Wrong.HangUpBefore()));

      StartResult result = VhostNetGroup.start(rig.nets, StartOrder.PLANNED).getFirst();

      assertThat(result.running()).isTrue();
      assertThat(recording.events("Fallback", "net0"))
          .singleElement()
          .satisfies(e -> assertThat(e.getString("why")).isEqualTo(result.fallback()));
      assertThat(recording.events("Reconnect", "net0"))
          .singleElement()
          .satisfies(e -> {
            assertThat(e.getInt("attempt")).isEqualTo(1);
            assertThat(e.getString("why")).isEqualTo(result.fallback());
            assertThat(e.getString("failure")).isNull();
            assertThat(e.getDuration()).isGreaterThan(Duration.ZERO);
          });
      List<RecordedEvent> plans = recording.events("Plan", "net0");
      assertThat(plans.get(plans.size() - 2).getString("failure")).isEqualTo(result.fallback());
      assertThat(plans.getLast().getString("failure")).isNull();
    }
  }
}
