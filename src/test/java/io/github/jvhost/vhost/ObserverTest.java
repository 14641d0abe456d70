package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What an embedder's metrics hear of a device. */
@Timeout(120)
class ObserverTest {
  private static final Duration WITHIN = Duration.ofSeconds(10);

  @TempDir private Path dir;

  private final BlockingQueue<String> heard = new LinkedBlockingQueue<>();

  private final Observer observer =
      new Observer() {
        @Override
        public void planFinished(String device, Plan plan, Outcome outcome) {
          heard.add(
              "%s %s %d messages%s"
                  .formatted(
                      device,
                      plan.lifecycle(),
                      outcome.messages(),
                      outcome.complete() ? "" : ", failed"));
        }

        @Override
        public void fallback(String device, String why) {
          heard.add(device + " fallback: " + why);
        }

        @Override
        public void lost(String device, VhostException why) {
          heard.add(device + " lost");
        }

        @Override
        public void reconnected(String device, int attempts) {
          heard.add(device + " reconnected, " + attempts);
        }
      };

  /** A rig without devices but this one. */
  private VhostNet connect(Rig rig, Observer heardBy) {
    rig.addBackEnd(Faults.none());
    VhostNet net = rig.connect(0, rig.options(0, WITHIN).withObserver(heardBy));
    rig.nets.add(net);
    return net;
  }

  private Rig rig() {
    return new Rig(dir, 0, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC);
  }

  private List<String> all() {
    List<String> all = List.copyOf(heard);
    heard.clear();
    return all;
  }

  @Test
  void itHearsOfEveryPlanWithItsCounts() throws Exception {
    try (Rig rig = rig()) {
      VhostNet net = connect(rig, observer);
      rig.driveAll();
      assertThat(rig.presetup(PresetupMode.IMPLICIT)).allMatch(PresetupResult::done);
      assertThat(net.migration().prepareStart(net.snapshot())).isTrue();
      assertThat(all()).singleElement().asString().startsWith("net0 PRESET ");

      try (var window = new DeviceStart(rig.nets, StartOrder.PLANNED)) {
        window.start();
        assertThat(heard).as("while the guest does not run").isEmpty();
        StartResult started = window.results().getFirst();
        assertThat(all()).containsExactly("net0 RUNNING %d messages".formatted(started.messages()));
      }

      Outcome stopped = net.stop();
      assertThat(all()).containsExactly("net0 STOPPED %d messages".formatted(stopped.messages()));
      net.close();
      assertThat(heard).as("a connection that is closed was not lost").isEmpty();
    }
  }

  @Test
  void itHearsWhyADeviceIsNotSetUpEarly() {
    try (Rig rig = rig()) {
      connect(rig, observer);
      rig.driveAll();
      List<PresetupResult> results = rig.presetup(PresetupMode.EXPLICIT);

      assertThat(results).noneMatch(PresetupResult::done);
      assertThat(all()).containsExactly("net0 fallback: " + results.getFirst().note());
      assertThat(rig.presetup(PresetupMode.OFF)).noneMatch(PresetupResult::done);
      assertThat(heard).as("that was asked for").isEmpty();
    }
  }

  @Test
  void itHearsOfASecondStart() throws Exception {
    try (Rig rig = rig()) {
      connect(rig, observer);
      rig.driveAll();
      rig.backEnd().arm(Faults.none().atMessage(2, new Faults.Wrong.HangUpBefore()));
      StartResult result = VhostNetGroup.start(rig.nets, StartOrder.PLANNED).getFirst();

      assertThat(all())
          .containsExactly(
              "net0 RUNNING %d messages, failed".formatted(result.outcome().messages()),
              "net0 lost",
              "net0 fallback: " + result.fallback(),
              "net0 reconnected, 1",
              "net0 RUNNING %d messages"
                  .formatted(result.messages() - result.outcome().messages()));
    }
  }

  @Test
  void itHearsOfALossOnceAndOfTheWayBack() throws Exception {
    try (Rig rig = rig();
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      VhostNet net = connect(rig, observer);
      rig.driveAll();
      assertThat(net.start().complete()).isTrue();
      assertThat(all()).hasSize(1);
      watch.watch(net, new ReconnectPolicy.Fixed(Duration.ofMillis(1), 0));

      rig.replaceBackEnd(BackEndOffer.of(Personality.GENERIC));

      assertThat(next()).isEqualTo("net0 lost");
      assertThat(next()).startsWith("net0 RUNNING ").doesNotEndWith("failed");
      assertThat(next()).startsWith("net0 reconnected, ");
      watch.unwatch(net);
    }
  }

  private String next() throws InterruptedException {
    String event = heard.poll(WITHIN.toSeconds(), TimeUnit.SECONDS);
    assertThat(event).as("heard within %s", WITHIN).isNotNull();
    return String.valueOf(event);
  }

  @Test
  void whatItThrowsDoesNotHurtTheDevice() throws Exception {
    Observer broken =
        new Observer() {
          @Override
          public void planFinished(String device, Plan plan, Outcome outcome) {
            throw new IllegalStateException("a metric that is not registered");
          }
        };
    try (Rig rig = rig()) {
      VhostNet net = connect(rig, broken);
      rig.driveAll();
      assertThat(net.start().complete()).isTrue();
      assertThat(net.running()).isTrue();
    }
  }
}
