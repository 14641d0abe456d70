package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A state that is restored while another thread stops the device. */
@Timeout(120)
class RestoreAmidTransitionTest {
  @TempDir private Path dir;

  private static void indexes(VhostNet net, int first) {
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      net.model().setNextIndex(ring, RingIndex.split(first + ring));
    }
  }

  /** Rings that go on where another state was would use buffers that the driver did not give. */
  @Test
  void theRingsGoOnWhereTheStateSaysAndNotWhereTheyStopped() throws InterruptedException {
    try (Rig rig = new Rig(dir, 1, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      rig.driveAll();
      VhostNet net = rig.net();
      indexes(net, 500);
      VirtioNetState state = net.snapshot();
      rig.ringsAreAtSomeIndex();
      net.start();
      Execution stop = net.migration().beginStop(StartOrder.PLANNED);

      Thread restoring = Thread.ofPlatform().start(() -> net.restore(state));
      Deadline deadline = Rig.soon();
      while (restoring.getState() != Thread.State.TIMED_WAITING
          && restoring.isAlive()
          && !deadline.expired()) {
        Thread.onSpinWait();
      }
      Flights.run(List.of(stop), Rig.soon());
      assertThat(net.migration().takeOutcome(stop).failure()).isNull();
      net.migration().letGo();

      assertThat(restoring.join(Duration.ofSeconds(20))).isTrue();
      assertThat(net.snapshot()).isEqualTo(state);
      rig.noRuleWasBroken();
    }
  }
}
