package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A device that is closed while a transition goes side by side with others: the socket stays open
 * until the transition has ended, since its number would be somebody else's otherwise.
 */
class CloseAmidTransitionTest {
  @TempDir private Path dir;

  private final StillBackEnd backEnd = new StillBackEnd();

  /** Waits until the close has begun; nothing can be told to the device from then on. */
  private static void awaitClosing(VhostNet net) {
    Deadline deadline = Rig.soon();
    while (!isClosing(net)) {
      assertThat(deadline.expired()).as("the close begins").isFalse();
      Thread.onSpinWait();
    }
  }

  private static boolean isClosing(VhostNet net) {
    try {
      net.kick(0);
      return false;
    } catch (IllegalStateException e) {
      return true;
    }
  }

  @Test
  void closeWaitsForAPresetupThatIsUnderWay() throws Exception {
    try (Rig rig = backEnd.rig(dir)) {
      rig.driveAll();
      VhostNet net = rig.net();
      StillBackEnd.at(rig, FrontEndRequest.SET_FEATURES);
      FutureTask<List<PresetupResult>> preset =
          StillBackEnd.elsewhere(() -> rig.presetup(PresetupMode.IMPLICIT));
      FutureTask<?> closed;
      try {
        backEnd.await();
        closed = StillBackEnd.elsewhere(net::close);
        awaitClosing(net);
      } finally {
        backEnd.goOn();
      }
      assertThat(preset.get(20, TimeUnit.SECONDS).getFirst().note())
          .as("its connection was not closed under it")
          .isNull();
      closed.get(20, TimeUnit.SECONDS);
      assertThat(net.connected()).isFalse();
      assertThat(net.shadow()).isEqualTo(Shadow.nothingHeld());
    }
  }

  @Test
  void anInterruptOfWhoeverClosesIsHandedOn() throws Exception {
    try (Rig rig = backEnd.rig(dir)) {
      rig.driveAll();
      StillBackEnd.at(rig, FrontEndRequest.SET_FEATURES);
      FutureTask<List<PresetupResult>> preset =
          StillBackEnd.elsewhere(() -> rig.presetup(PresetupMode.IMPLICIT));
      FutureTask<Boolean> interrupted;
      try {
        backEnd.await();
        interrupted =
            StillBackEnd.elsewhere(() -> {
              Thread.currentThread().interrupt();
              rig.net().close();
              return Thread.interrupted();
            });
        awaitClosing(rig.net());
      } finally {
        backEnd.goOn();
      }
      assertThat(preset.get(20, TimeUnit.SECONDS).getFirst().done()).isTrue();
      assertThat(interrupted.get(20, TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void whoeverClosesInsideOfItsOwnWindowClosesAtItsEnd() {
    try (Rig rig = new Rig(dir, 1, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      rig.driveAll();
      VhostNet net = rig.net();
      try (var window = new DeviceStart(rig.nets, StartOrder.PLANNED)) {
        window.start();
        net.close();
        assertThat(net.connected()).as("the window has the connection").isTrue();
        assertThat(window.results()).allMatch(StartResult::running);
      }
      assertThat(net.connected()).isFalse();
      assertThat(net.running()).isFalse();
      rig.nets.set(0, rig.connect(0, net.model(), rig.options(0, Duration.ofSeconds(10))));
      assertThat(rig.net().start().complete()).as("the model is free for another").isTrue();
    }
  }

  @Test
  void aDeviceThatIsClosedWhileItStartsDoesNotKeepTheOthersFromBeingWoken() throws Exception {
    try (Rig rig = backEnd.rig(dir)) {
      rig.addBackEnd(Faults.none());
      rig.nets.add(rig.connect(1, Duration.ofSeconds(10)));
      rig.driveAll();
      VhostNet closing = rig.net();
      StillBackEnd.at(rig, FrontEndRequest.SET_FEATURES);
      FutureTask<String> started =
          StillBackEnd.elsewhere(() -> {
            try {
              VhostNetGroup.start(rig.nets, StartOrder.PLANNED);
              return "all of them";
            } catch (VhostException e) {
              return String.valueOf(e.getMessage());
            }
          });
      FutureTask<?> closed;
      try {
        backEnd.await();
        closed = StillBackEnd.elsewhere(closing::close);
        awaitClosing(closing);
      } finally {
        backEnd.goOn();
      }
      assertThat(started.get(20, TimeUnit.SECONDS)).isEqualTo("net0: closed");
      closed.get(20, TimeUnit.SECONDS);
      assertThat(rig.nets.get(1).running()).isTrue();
      assertThat(rig.eventfds.get(1).getFirst().call().drain()).isEqualTo(1);
    }
  }

  @Test
  void aDeviceThatIsClosedWhileItsStartFailsDoesNotKeepTheOthersFromStarting() throws Exception {
    try (Rig rig = backEnd.rig(dir)) {
      rig.addBackEnd(Faults.none());
      rig.nets.add(rig.connect(1, Duration.ofSeconds(10)));
      rig.driveAll();
      VhostNet closing = rig.net();
      rig.backEnds
          .get(0)
          .arm(
              Faults.none()
                  .at(
                      FrontEndRequest.SET_FEATURES,
                      1,
                      new Faults.Wrong.AskFirst(
                          BackEndRequest.CONFIG_CHANGE_MSG, NoPayload.INSTANCE))
                  .at(FrontEndRequest.SET_MEM_TABLE, 1, new Faults.Wrong.Refuse()));
      rig.backEnds
          .get(1)
          .arm(Faults.none().at(FrontEndRequest.SET_FEATURES, 1, new Faults.Wrong.Refuse()));
      FutureTask<String> started =
          StillBackEnd.elsewhere(() -> {
            try {
              VhostNetGroup.start(rig.nets, StartOrder.PLANNED);
              return "all of them";
            } catch (VhostException e) {
              return String.valueOf(e.getMessage());
            }
          });
      FutureTask<?> closed;
      try {
        backEnd.await();
        closed = StillBackEnd.elsewhere(closing::close);
        awaitClosing(closing);
      } finally {
        backEnd.goOn();
      }
      assertThat(started.get(20, TimeUnit.SECONDS)).isEqualTo("net0: closed");
      closed.get(20, TimeUnit.SECONDS);
      assertThat(rig.nets.get(1).running()).isTrue();
    }
  }
}
