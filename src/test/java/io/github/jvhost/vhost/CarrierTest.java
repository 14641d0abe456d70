package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndEvents;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.NetFeature;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A device goes its whole way over a carrier that is no socket: planner and shadow are the same.
 */
class CarrierTest {
  @TempDir private Path dir;

  /**
   * Without acknowledgements.
   *
   * @param byStep whether rings are switched by a step, and the device by its status; otherwise a
   *     kick is all that a ring waits for
   */
  private static BackEndCapabilities capabilities(boolean byStep) {
    long steps = ProtocolFeature.maskOf(ProtocolFeature.MQ, ProtocolFeature.MTU);
    return new BackEndCapabilities(
        (NetFeature.BACK_END & ~NetFeature.RING_PACKED.mask())
            | (byStep ? VhostFeature.PROTOCOL_FEATURES : 0),
        byStep ? steps | ProtocolFeature.STATUS.mask() : 0,
        Rig.PAIRS,
        Dialect.UPSTREAM,
        BackEndProfile.GENERIC);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void plansAreCarriedOutInMemory(boolean byStep) {
    List<MemoryCarrier> made = new ArrayList<>();
    try (Rig rig = new Rig(dir, 0, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      rig.addBackEnd(Faults.none()); // for its eventfds; nobody connects to it
      VhostDeviceOptions options = rig.options(0, Duration.ofSeconds(10));
      VhostNet net =
          VhostNet.over(
              Rig.model(0).build(),
              new DeviceTranslations("net0", DeviceMemory.of(rig.memory)),
              new EventfdTable(rig.eventfds.getFirst()),
              options,
              () -> {
                assertThat(made).as("nothing is open beside it").allMatch(MemoryCarrier::isOver);
                made.add(new MemoryCarrier(capabilities(byStep)));
                return made.getLast();
              });
      rig.nets.add(net);
      rig.driveAll();
      rig.ringsAreAtSomeIndex();
      MemoryCarrier carrier = made.getFirst();

      assertThat(rig.presetup(PresetupMode.IMPLICIT)).allMatch(PresetupResult::done);
      assertThat(net.shadow().get(Fact.MEMORY).isHeld()).isTrue();
      assertThat(carrier.unlike(net.shadow())).as("after presetup").isEmpty();

      assertThat(net.migration().prepareStart(net.snapshot())).isTrue();
      List<StartResult> started = VhostNetGroup.start(rig.nets, StartOrder.PLANNED);
      assertThat(started).allMatch(StartResult::running);
      assertThat(net.running()).isTrue();
      assertThat(rig.presetup(PresetupMode.IMPLICIT).getFirst().toString())
          .as("it would be stopped")
          .contains("the device runs");
      assertThat(net.running()).isTrue();
      assertThat(started.getFirst().plan().describe())
          .contains("ring 1 base")
          .doesNotContain("size");
      assertThat(carrier.unlike(net.shadow())).as("in the window").isEmpty();

      rig.memory.addRegion("more", 1L << 40, 1 << 20);
      net.refresh();
      assertThat(carrier.plans().getLast().describe()).contains("memory table");
      assertThat(carrier.unlike(net.shadow())).as("with more memory").isEmpty();

      assertThat(VhostNetGroup.stop(rig.nets, StartOrder.PLANNED)).allMatch(o -> o.complete());
      assertThat(net.running()).isFalse();
      assertThat(net.model().ringBase(1)).isEqualTo(11);
      assertThat(carrier.unlike(net.shadow())).as("stopped").isEmpty();

      net.start();
      assertThat(carrier.unlike(net.shadow())).as("started once more").isEmpty();

      net.reconnect().orThrow();
      assertThat(made).hasSize(2);
      assertThat(made.getLast().unlike(net.shadow())).as("at another back end").isEmpty();
      Plan all = made.getLast().plans().getLast();
      assertThat(all.describe()).contains("features", "ring 1 size", "ring 1 kick");
      assertThat(all.describe().contains("enabled")).isEqualTo(byStep);

      Map<String, Consumer<VhostNet>> questions =
          Map.of(
              "show a configuration space", device -> device.backEndConfig(0, 6),
              "share objects", device -> device.sharedObject(new SharedObject(new UUID(1, 2))),
              "map files into shared memory", VhostNet::sharedMemory);
      questions.forEach((cannot, question) ->
          assertThatThrownBy(() -> question.accept(net))
              .isInstanceOf(VhostException.class)
              .hasMessage("this kind of back end cannot " + cannot));
      assertThat(net.connected()).as("and the device is as it was").isTrue();
    }
  }

  /** A carrier may have nothing to poll. The err eventfds of its rings are polled all the same. */
  @Test
  void aWatchHearsErrEventfdsOfACarrierWithoutADescriptor() throws Exception {
    BlockingQueue<Integer> failed = new LinkedBlockingQueue<>();
    BackEndEvents events =
        new BackEndEvents() {
          @Override
          public void ringFailed(int ring) {
            failed.add(ring);
          }
        };
    try (Rig rig = new Rig(dir, 0, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      rig.addBackEnd(Faults.none()); // for its eventfds; nobody connects to it
      EventFd err = EventFd.create(rig.ledger, "err of ring 1");
      List<RingEventfds> eventfds = new ArrayList<>(rig.eventfds.getFirst());
      eventfds.set(1, eventfds.get(1).withErr(err));
      rig.eventfds.set(0, eventfds);
      VhostNet net =
          VhostNet.over(
              Rig.model(0).build(),
              new DeviceTranslations("net0", DeviceMemory.of(rig.memory)),
              new EventfdTable(eventfds),
              rig.options(0, Duration.ofSeconds(10)).withEvents(events),
              () -> new MemoryCarrier(capabilities(true)));
      rig.nets.add(net);
      watch.watch(net, new ReconnectPolicy.Never());

      err.signal();

      assertThat(failed.poll(20, TimeUnit.SECONDS)).isEqualTo(1);
      watch.unwatch(net);
    }
  }
}
