package io.github.jvhost.vhost.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.BackEndProtocol;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.EarlyConfiguration;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.StoppedRings;
import io.github.jvhost.virtio.ControlState;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * The kernel's carriers on files that hear nothing, as in a rehearsal: each step of presetup, start
 * and stop has its system calls.
 */
class RehearsedCarrierTest {
  private static final int RINGS = 4;

  private final Configs configs = new Configs();
  private Shadow held = Shadow.nothingHeld();

  @AfterEach
  void close() {
    configs.close();
    assertThat(configs.ledger.describeOpen()).isEmpty();
  }

  private static BackEndCapabilities capabilities(
      BackEndProtocol protocol, BackEndProfile profile) {
    return new BackEndCapabilities(NetFeature.BACK_END, protocol, RINGS / 2, 64, profile);
  }

  private Outcome reach(Carrier carrier, DeviceConfig desired) {
    Plan plan = Planner.plan(held, desired, carrier.capabilities());
    Deadline deadline = Deadline.after(Duration.ofSeconds(20));
    Execution execution = carrier.begin(plan, deadline, StoppedRings.AS_ANSWERED);
    while (!execution.advance(true)) {
      try (var poller = new Poller(1)) {
        poller.add(execution.number(), Poller.IN);
        poller.await(deadline.remainingNanos());
      }
    }
    Outcome outcome = execution.outcome().orThrow();
    held = held.after(plan, outcome);
    return outcome;
  }

  private DeviceConfig running() {
    return configs.running(RINGS / 2);
  }

  @Test
  void vhostNet() {
    var can = capabilities(new BackEndProtocol.VhostNet(), BackEndProfile.VHOST_NET);
    try (var carrier = VhostNetConnection.rehearsed("net0", configs.ledger, can)) {
      DeviceConfig early = EarlyConfiguration.of(PresetupMode.IMPLICIT, running(), can);
      reach(carrier, early);

      assertThat(reach(carrier, running()).messages())
          .as("of each ring base and start, of each pair its queue")
          .isEqualTo(2 * RINGS + RINGS / 2);
      assertThat(reach(carrier, Configs.stopped(running())).complete()).isTrue();
    }
  }

  /** Whatever was planned: the kernel would mark pages in other memory of this process. */
  @Test
  void vhostNetIsToldNoMemoryBehindTheLog() {
    var can = capabilities(new BackEndProtocol.VhostNet(), BackEndProfile.VHOST_NET);
    try (var carrier = VhostNetConnection.rehearsed("net0", configs.ledger, can)) {
      var low = new Step.Set<>(Fact.MEMORY, Step.NO_RING, configs.low);
      var both = new Step.Set<>(Fact.MEMORY, Step.NO_RING, configs.both);
      var small = new Step.Set<>(Fact.LOG, Step.NO_RING, configs.smallLog);
      carrier.take(low);
      carrier.take(small);
      carrier.take(new Step.Set<>(Fact.FEATURES, Step.NO_RING, VhostFeature.LOG_ALL));
      int calls = carrier.calls();

      assertThatThrownBy(() -> carrier.take(both)).hasMessageContaining("the dirty log has 4096");
      assertThat(carrier.calls()).isEqualTo(calls);

      carrier.take(new Step.Set<>(Fact.FEATURES, Step.NO_RING, 0L));
      carrier.take(both); // the log is not used
      calls = carrier.calls();
      assertThatThrownBy(() -> carrier.take(small)).hasMessageContaining("the dirty log has 4096");
      assertThatThrownBy(
              () -> carrier.take(new Step.Set<>(Fact.FEATURES, Step.NO_RING, VhostFeature.LOG_ALL)))
          .hasMessageContaining("the dirty log has 4096");
      assertThat(carrier.calls()).isEqualTo(calls);
    }
  }

  @Test
  void vhostVdpa() {
    var mac = Optional.of(new MacAddress(1));
    var can =
        capabilities(
            new BackEndProtocol.VhostVdpa(mac, true, true, 256, 1500), BackEndProfile.VHOST_VDPA);
    try (var carrier = VhostVdpaConnection.rehearsed("net0", configs.ledger, can)) {
      ControlState control = VirtioNet.builder("net").build().controlState();
      DeviceConfig running = Configs.withControl(running(), control);
      reach(carrier, EarlyConfiguration.of(PresetupMode.EXPLICIT, running, can));

      assertThat(reach(carrier, running).messages())
          .as("of each ring base, address and enable; RESUME")
          .isEqualTo(3 * RINGS + 1);
      assertThat(reach(carrier, Configs.stopped(running)).complete()).isTrue();
    }
  }
}
