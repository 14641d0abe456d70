package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.migration.InPlaceTarget;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.MigrationOptions;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.PreCopySource;
import io.github.jvhost.migration.SourceReport;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.testkit.scenario.Links;
import io.github.jvhost.testkit.scenario.QemuOrder;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.NetFeature;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A back end hangs up instead of saying where its rings stopped. */
class StopWithoutAnswerTest {
  @TempDir private Path dir;

  static Stream<StartOrder> orders() {
    return Stream.of(StartOrder.PLANNED, QemuOrder.QEMU);
  }

  /** Whether its guest runs. */
  private static final class Vm implements VmControl {
    private volatile boolean runs;

    Vm(boolean runs) {
      this.runs = runs;
    }

    @Override
    public void pause() {
      runs = false;
    }

    @Override
    public void resume() {
      runs = true;
    }
  }

  private Rig rig(long features) {
    BackEndOffer offer =
        BackEndOffer.of(Personality.GENERIC).withFeatures(BackEndOffer.DEFAULT_FEATURES | features);
    return new Rig(dir, 2, offer, BackEndProfile.GENERIC);
  }

  /** Runs the first device, whose back end will not answer the first GET_VRING_BASE. */
  private static VhostNet running(Rig rig) {
    VhostNet net = rig.nets.getFirst();
    Rig.drive(net, 0);
    net.start();
    rig.backEnds
        .getFirst()
        .arm(Faults.none().at(FrontEndRequest.GET_VRING_BASE, 1, new Faults.Wrong.HangUpBefore()));
    return net;
  }

  private static MigrationOptions options(StartOrder order) {
    MigrationOptions defaults = MigrationOptions.defaults();
    return order.sideBySide() ? defaults : defaults.withoutEarly(order);
  }

  @Test
  void ofASplitRingGuestMemorySaysIt() {
    try (Rig rig = rig(0)) {
      VhostNet net = running(rig);
      assertThat(net.stop().complete()).isFalse();
      net.migration().requireRingPositions();
      assertThat(net.model().queue(0).next().avail()).isZero();
    }
  }

  @Test
  void ofAPackedRingNobodyDoes() {
    try (Rig rig = rig(NetFeature.RING_PACKED.mask())) {
      VhostNet net = running(rig);
      rig.packedUsed(0, 0);
      assertThat(net.stop().complete()).isFalse();
      assertThatThrownBy(net.migration()::requireRingPositions)
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("the driver has to reset the device");
    }
  }

  @Test
  void suchAGuestIsNotMigratedAtAGuess() throws Exception {
    try (Rig rig = rig(NetFeature.RING_PACKED.mask())) {
      running(rig);
      rig.packedUsed(0, 0);
      Vm source = new Vm(true);
      Vm target = new Vm(false);
      MigrationException stayed =
          catchThrowableOfType(MigrationException.class, () -> migrate(rig, source, target));

      assertThat(stayed).hasMessageContaining("the driver has to reset the device");
      assertThat(stayed.recovery())
          .as("it is the device that stays behind")
          .isEqualTo(Recovery.RECONNECT);
      assertThat(source.runs).isTrue();
      assertThat(target.runs).isFalse();
    }
  }

  @Test
  void oneWithSplitRingsIs() throws Exception {
    try (Rig rig = rig(0)) {
      running(rig);
      Vm source = new Vm(true);
      Vm target = new Vm(false);
      SourceReport left = migrate(rig, source, target);

      assertThat(left.stops().getFirst().complete()).isFalse();
      assertThat(source.runs).isFalse();
      assertThat(target.runs).isTrue();
    }
  }

  /** Ring 0 was used up to 100, and its back end says that it stopped at 0. */
  @Test
  void oneWhoseBackEndSaysNonsenseGoesOnAtItsUsedIndexAndTheReportSaysSo() throws Exception {
    try (Rig rig = rig(0)) {
      running(rig);
      rig.used(0, 0, 100);
      rig.backEnds
          .getFirst()
          .arm(Faults.none().at(FrontEndRequest.GET_VRING_BASE, 1, new Faults.Wrong.Base(0)));
      Vm target = new Vm(false);
      SourceReport left = migrate(rig, new Vm(true), target);

      assertThat(target.runs).isTrue();
      assertThat(rig.backEnds.get(1).record().messages())
          .filteredOn(m -> m.request() == FrontEndRequest.SET_VRING_BASE)
          .extracting(RecordedMessage::payload)
          .contains(new VringState(0, 100));
      assertThat(left.ringNotes())
          .singleElement(STRING)
          .startsWith("net0: ring 0: the back end answered that it stopped at 0x0")
          .endsWith("it goes on at 0x64 instead");
    }
  }

  /**
   * One that neither answers nor hangs up may go on writing, behind the last pages that were sent.
   */
  @ParameterizedTest
  @MethodSource("orders")
  void aBackEndThatMayStillWriteKeepsItsGuest(StartOrder order) throws Exception {
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    try (Rig rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC)) {
      for (int i = 0; i < 2; i++) {
        rig.addBackEnd(Faults.none());
        rig.nets.add(rig.connect(i, Duration.ofSeconds(1)));
      }
      VhostNet net = running(rig);
      rig.backEnds
          .getFirst()
          .arm(Faults.none().at(FrontEndRequest.GET_VRING_BASE, 1, new Faults.Wrong.NoAnswer()));
      Vm source = new Vm(true);
      Vm target = new Vm(false);
      MigrationException stayed =
          catchThrowableOfType(MigrationException.class, () -> migrate(rig, source, target, order));

      assertThat(stayed)
          .hasMessageContaining("net0: the back end has not said that its rings stopped")
          .hasMessageContaining("it may still write to guest memory")
          .hasMessageEndingWith("; the guest runs on, on the source");
      assertThat(stayed.recovery()).isEqualTo(Recovery.RETRY);
      assertThat(source.runs).isTrue();
      assertThat(target.runs).isFalse();
      assertThat(net.running()).as("on a new connection").isTrue();
      assertThat(rig.backEnds.getFirst().record().connections()).isEqualTo(2);
    }
  }

  /**
   * The same before the migration's own stop: its driver has reset the device, or its link was
   * pulled, and the back end has not stopped its rings for that.
   */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void nothingIsHandedOverBesideABackEndThatWasLeftServing(boolean reset) throws Exception {
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    try (Rig rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC)) {
      for (int i = 0; i < 2; i++) {
        rig.addBackEnd(Faults.none());
        rig.nets.add(rig.connect(i, Duration.ofSeconds(1)));
      }
      VhostNet net = running(rig);
      rig.backEnd()
          .arm(Faults.none().at(FrontEndRequest.GET_VRING_BASE, 1, new Faults.Wrong.NoAnswer()));
      if (reset) {
        net.access(() -> net.model().setStatus(0));
      } else {
        net.linkUp(false);
      }
      assertThat(net.connected()).isFalse();
      Vm source = new Vm(true);
      Vm target = new Vm(false);
      MigrationException stayed =
          catchThrowableOfType(MigrationException.class, () -> migrate(rig, source, target));

      assertThat(stayed)
          .hasMessageContaining("net0: the back end has not said that its rings stopped")
          .hasMessageContaining("it may still write to guest memory");
      assertThat(source.runs).isTrue();
      assertThat(target.runs).isFalse();
    }
  }

  /** One that hung up is gone, and another connection is another back end. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aBackEndThatHungUpOrWasReplacedKeepsNobody(boolean replaced) throws Exception {
    try (Rig rig = rig(0)) {
      VhostNet net = running(rig);
      if (replaced) {
        rig.backEnd()
            .arm(Faults.none().at(FrontEndRequest.GET_VRING_BASE, 1, new Faults.Wrong.Refuse()));
      }
      net.access(() -> net.model().setStatus(0));
      assertThat(net.connected()).isFalse();
      if (replaced) {
        net.reconnect();
      }
      Vm target = new Vm(false);
      migrate(rig, new Vm(true), target);
      assertThat(target.runs).isTrue();
    }
  }

  private SourceReport migrate(Rig rig, Vm source, Vm target) throws Exception {
    return migrate(rig, source, target, StartOrder.PLANNED);
  }

  /** From the first device's back end to the second one's; memory is the same. */
  private SourceReport migrate(Rig rig, Vm source, Vm target, StartOrder order) throws Exception {
    VhostDeviceOptions there = VhostDeviceOptions.of("net0", dir.resolve("net1"), rig.ledger);
    rig.nets.get(1).close();
    try (Links links = Links.connect(dir.resolve("m"));
        VhostNet net = rig.connect(1, Rig.model(0).build(), there)) {
      MigrationDestination arrival =
          MigrationDestination.builder()
              .devices(List.of(net))
              .ram(new InPlaceTarget(rig.memory))
              .vm(target)
              .link(links.destination())
              .presetup(order.sideBySide() ? PresetupMode.IMPLICIT : PresetupMode.OFF)
              .options(options(order))
              .build();
      CompletableFuture<Void> arriving =
          CompletableFuture.runAsync(
              () -> {
                try {
                  arrival.run();
                } catch (MigrationException e) {
                  assertThat(target.runs).isFalse();
                }
              },
              task -> Thread.ofPlatform().daemon().start(task));
      try {
        return MigrationSource.builder(rig.ledger)
            .devices(List.of(rig.nets.getFirst()))
            .ram(new PreCopySource(rig.memory, 0, Runnable::run))
            .vm(source)
            .link(links.source())
            .options(options(order))
            .build()
            .run();
      } finally {
        arriving.get(Duration.ofMinutes(1).toSeconds(), TimeUnit.SECONDS);
      }
    }
  }
}
