package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An embedder's mistakes: each fails at the call, in words, before anybody is connected to. */
@SuppressWarnings("NullAway") // null is what some of the mistakes are
class MisuseTest {
  private static final BackEndOffer DPDK = BackEndOffer.of(Personality.DPDK);
  private static final Duration SECOND = Duration.ofSeconds(1);

  @TempDir private Path dir;

  @Test
  void whatCannotBecomeADeviceIsNotConnected() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC);
        GuestMemory empty = GuestMemory.builder(rig.ledger).build();
        GuestMemory closed = closed(rig.ledger)) {
      VhostDeviceOptions options = rig.options(0, SECOND);
      List<RingEventfds> rings = rig.eventfds.getFirst();
      VirtioNet model = Rig.model(0).build();

      refused("model", () -> VhostNet.connect(null, rig.memory, rings, options));
      refused("memory", () -> VhostNet.connect(model, (GuestMemory) null, rings, options));
      refused("eventfds", () -> VhostNet.connect(model, rig.memory, null, options));
      refused("options", () -> VhostNet.connect(model, rig.memory, rings, null));
      refused(
          "net0: 3 ring eventfds for 2 queue pairs: each pair needs two",
          () -> VhostNet.connect(model, rig.memory, rings.subList(0, 3), options));
      VirtioNet behindIommu =
          VirtioNet.builder("net0")
              .maxQueuePairs(Rig.PAIRS)
              .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.ACCESS_PLATFORM.mask())
              .build();
      refused(
          "net0: its model offers ACCESS_PLATFORM, and nobody says which IOMMU stands behind it",
          () -> VhostNet.connect(behindIommu, rig.memory, rings, options));
      refused(
          "net0: its guest memory is closed",
          () -> VhostNet.connect(model, closed, rings, options));
      refused(
          "net0: its guest memory has no region",
          () -> VhostNet.connect(model, empty, rings, options));
      refused(
          "net0: this device model has a back end already",
          () -> VhostNet.connect(rig.net().model(), rig.memory, rings, options));
      assertThat(rig.backEnd().record().connections()).isEqualTo(1);

      VirtioNet again = rig.net().model();
      rig.net().close();
      rig.nets.set(0, rig.connect(0, again, options));
      assertThat(rig.net().connected()).isTrue();
    }
  }

  @Test
  void aModelThatNobodyCouldServeIsFreeForAnother() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC)) {
      VirtioNet model = Rig.model(0).build();
      VhostDeviceOptions nowhere = VhostDeviceOptions.of("net0", dir.resolve("nobody"), rig.ledger);
      refused("net0", () -> VhostNet.connect(model, rig.memory, rig.eventfds.getFirst(), nowhere));
      rig.net().close();
      rig.nets.set(0, rig.connect(0, model, rig.options(0, SECOND)));
    }
  }

  @Test
  void optionsAreComplete() {
    DescriptorLedger ledger = DescriptorLedger.counting();
    VhostDeviceOptions options = VhostDeviceOptions.of("net0", dir, ledger);
    refused("name", () -> VhostDeviceOptions.of(null, dir, ledger));
    refused("a device's name is empty", () -> VhostDeviceOptions.of(" ", dir, ledger));
    refused("ledger", () -> VhostDeviceOptions.of("net0", dir, null));
    refused("profile", () -> options.withProfile(null));
    refused("dialect", () -> options.withDialect(null));
    refused("observer", () -> options.withObserver(null));
    refused(
        "net0: connecting within PT0S", () -> options.withBounds(Duration.ZERO, SECOND, SECOND));
    refused(
        "net0: presetup within PT-1S", () -> options.withBounds(SECOND, SECOND.negated(), SECOND));
    refused(
        "net0: a transition within PT0S", () -> options.withBounds(SECOND, SECOND, Duration.ZERO));
  }

  @Test
  void notifiersAndDescriptorsAreThere() {
    DescriptorLedger ledger = DescriptorLedger.tracing();
    refused("kick", () -> new RingEventfds(null, null));
    refused("net0: eventfds for 0 rings", () -> RingEventfds.create(ledger, "net0", 0));
    refused("ledger", () -> GuestMemory.builder(null));
    try (EventFd one = EventFd.create(ledger, "one")) {
      int number = one.descriptor().number();
      refused("what", () -> OwnedDescriptor.duplicateOf(ledger, number, null));
      refused("ledger", () -> OwnedDescriptor.duplicateOf(null, number, "one"));
      refused("call", () -> new RingEventfds(one, null));
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void aRingThatTheBackEndDoesNotServeIsNotKicked() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      for (int ring : new int[] {-1, Rig.RINGS, 99}) {
        refused(
            "net0: no ring " + ring + " to kick: its back end serves 0 to 3",
            () -> rig.net().kick(ring));
      }
      refused("policy", () -> watch.watch(rig.net(), null));
    }
  }

  @Test
  void theDriverOfADeviceWhoseMemoryIsClosedIsNotBlamedForIt() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.net().start();
      rig.memory.close();

      refused("net0: its guest memory is closed", () -> rig.net().refresh());

      assertThat(rig.net().model().broken()).isFalse();
      refused("this guest memory is closed", () -> rig.memory.getInt(0));
      refused("this guest memory is closed", () -> rig.memory.removeRegion("ram"));
    }
  }

  @Test
  void whatIsAskedOfTheConfigSpaceMakesSense() {
    VirtioNet model = VirtioNet.builder("net0").build();
    refused("net0: a read of -1 bytes", () -> model.readConfig(0, -1));
    refused("bytes", () -> model.writeConfig(0, null));
    refused(
        "ring of 100 entries: it has to be a power of two up to 1024",
        () -> VirtioNet.builder("net0").queueSize(100));
  }

  private static GuestMemory closed(DescriptorLedger ledger) {
    GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 4096).build();
    memory.close();
    return memory;
  }

  private static void refused(String why, ThrowingCallable call) {
    assertThatThrownBy(call).as(why).hasMessageContaining(why);
  }

  @Test
  void aKickThroughAnEventfdThatTheEmbedderHasClosedIsSaid() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC)) {
      rig.eventfds.getFirst().getFirst().kick().close();
      assertThatThrownBy(() -> rig.net().kick(0))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("kick")
          .hasMessageContaining("closed");
    }
  }
}
