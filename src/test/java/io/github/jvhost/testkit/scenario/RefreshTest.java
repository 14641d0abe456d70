package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.MigrationListener;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.Phase;
import io.github.jvhost.migration.SourceReport;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The guest changes something after presetup, and the source says so: early, late or never. */
@Timeout(60)
class RefreshTest {
  private static final int CHANGED_MTU = 1400;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** What both ends say of a migration in which something happened on the way. */
  private record Reports(SourceReport source, DestinationReport destination) {
    PresetupResult presetup() {
      return destination.presetups().values().iterator().next();
    }

    List<String> presetupSteps() {
      return fields(Objects.requireNonNull(presetup().plan()));
    }

    List<String> windowSteps() {
      return fields(destination.starts().getFirst().plan());
    }

    private static List<String> fields(Plan plan) {
      return plan.steps().stream().map(PlannedStep::field).toList();
    }
  }

  /** Does something on the source's own thread, where a test may change the device. */
  private interface Happening {
    void at(Phase phase, boolean presetupAnswered, VhostNet device, MigrationSource migration);
  }

  private Reports migrate(Happening happening) throws Exception {
    return migrate(true, happening);
  }

  private Reports migrate(boolean early, Happening happening) throws Exception {
    try (var directory = SocketDirectory.create();
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
                  early ? PresetupMode.IMPLICIT : PresetupMode.OFF));
      Thread.ofPlatform().daemon().start(arriving);
      AtomicReference<MigrationSource> migration = new AtomicReference<>();
      VhostNet device = hosts.source.devices().getFirst();
      var listener =
          new MigrationListener() {
            private MigrationSource migration() {
              return Objects.requireNonNull(migration.get());
            }

            @Override
            public void phase(Phase phase) {
              happening.at(phase, false, device, migration());
            }

            @Override
            public void round(int round, long pages, boolean presetupAnswered) {
              happening.at(Phase.ITERATE, presetupAnswered, device, migration());
            }
          };
      MigrationSource leaving = hosts.departure(links.source(), early, listener);
      migration.set(leaving);
      SourceReport left = leaving.run();
      return new Reports(left, arriving.get(30, TimeUnit.SECONDS));
    }
  }

  private static void changeMtu(VhostNet device) {
    device.access(() -> device.model().mtu(CHANGED_MTU));
  }

  private static boolean changed(VhostNet device) {
    return device.model().mtu() == CHANGED_MTU;
  }

  @Test
  void aRefreshPresetsTheDifferenceAndNothingElse() throws Exception {
    Reports reports =
        migrate((_, answered, device, migration) -> {
          if (answered && !changed(device)) {
            changeMtu(device);
            migration.refreshEarlyState();
          }
        });

    assertThat(reports.presetup().generation()).isEqualTo(2);
    assertThat(reports.presetupSteps()).containsExactly("mtu");
    assertThat(reports.windowSteps()).isNotEmpty().doesNotContain("mtu");
    assertThat(reports.source().presetupLate()).isFalse();
  }

  @Test
  void withoutARefreshTheChangeIsToldInTheWindow() throws Exception {
    Reports reports =
        migrate((_, answered, device, _) -> {
          if (answered && !changed(device)) {
            changeMtu(device);
          }
        });

    assertThat(reports.presetup().generation()).isEqualTo(1);
    assertThat(reports.windowSteps()).contains("mtu");
  }

  @Test
  void aRefreshOfWhatDidNotChangeTellsNothing() throws Exception {
    AtomicBoolean asked = new AtomicBoolean();

    Reports reports =
        migrate((_, answered, _, migration) -> {
          if (answered && !asked.getAndSet(true)) {
            migration.refreshEarlyState();
          }
        });

    assertThat(reports.presetup().generation()).isEqualTo(2);
    assertThat(reports.presetup().done()).isTrue();
    assertThat(reports.presetupSteps()).isEmpty();
  }

  @Test
  void aRefreshThatComesTooLateDoesNoHarm() throws Exception {
    Reports reports =
        migrate((phase, _, device, migration) -> {
          if (phase == Phase.STOP && !changed(device)) {
            changeMtu(device);
          }
          if (phase == Phase.STOP || phase == Phase.HAND_OVER || phase == Phase.DONE) {
            migration.refreshEarlyState();
          }
        });

    assertThat(reports.presetup().generation()).isEqualTo(1);
    assertThat(reports.windowSteps()).contains("mtu");
    assertThat(reports.destination().starts()).allMatch(start -> start.running());
  }

  @Test
  void refreshesInEveryRoundEndAllTheSame() throws Exception {
    // Before the answer to the first, too: they wait in line, and the last one counts.
    AtomicInteger asked = new AtomicInteger();

    Reports reports =
        migrate((phase, _, device, migration) -> {
          if (phase == Phase.ITERATE && asked.get() < 5) {
            asked.incrementAndGet();
            device.access(() -> device.model().mtu(CHANGED_MTU + asked.get()));
            migration.refreshEarlyState();
          }
        });

    assertThat(reports.presetup().done()).isTrue();
    assertThat(reports.windowSteps()).isNotEmpty().doesNotContain("mtu");
    assertThat(reports.destination().starts()).allMatch(start -> start.running());
  }

  @Test
  void withoutEarlyStateThereIsNothingToRefresh() throws Exception {
    Reports reports =
        migrate(
            false,
            (phase, _, _, migration) -> {
              if (phase == Phase.ITERATE) {
                migration.refreshEarlyState();
              }
            });

    assertThat(reports.destination().presetups()).isEmpty();
    assertThat(reports.destination().starts()).allMatch(start -> start.running());
  }
}
