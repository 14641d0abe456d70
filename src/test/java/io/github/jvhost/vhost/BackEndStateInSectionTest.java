package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.jvhost.Bytes;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.testkit.BackEndDevice.StateFault;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.SectionShape;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An embedder has a back end's own state in a section of QEMU's, or wants it there. */
@Timeout(120)
class BackEndStateInSectionTest {
  @TempDir private Path dir;

  private Rig rig;

  @BeforeEach
  void run() {
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC).with(ProtocolFeature.DEVICE_STATE);
    rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC);
    rig.addBackEnd(Faults.none());
    rig.addBackEnd(Faults.none());
    rig.nets.add(connect(0, true));
    rig.driveAll();
    rig.net().start();
  }

  @AfterEach
  void close() {
    rig.close();
  }

  private VhostNet connect(int host, boolean wanted) {
    VhostDeviceOptions options = rig.options(host, Duration.ofSeconds(3));
    return rig.connect(
        host, Rig.model(0).build(), wanted ? options.with(ProtocolFeature.DEVICE_STATE) : options);
  }

  private MockBackEnd at(int host) {
    return rig.backEnds.get(host);
  }

  private static byte[] state(int size) {
    byte[] state = new byte[size];
    new SplittableRandom(size).nextBytes(state);
    return state;
  }

  /** What the source's section has in it. */
  private VirtioNetState saved(byte[] state) {
    at(0).device().state(state);
    rig.net().stop().orThrow();
    return rig.net().migration().snapshotWithBackEndState();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3_000_000})
  void itGoesFromOneBackEndIntoTheOther(int size) {
    at(1).device().expectState(state(size));
    byte[] section = VirtioNetVmState.encode(saved(state(size)));
    try (VhostNet net = connect(1, true)) {
      VirtioNetState read =
          VirtioNetVmState.decode(ByteBuffer.wrap(section), SectionShape.of(net.model()));
      assertThat(read.net().backEnd().orElseThrow()).hasSize((size + (1 << 20) - 1) >> 20);

      net.restore(read);
      assertThat(at(1).device().loadedState())
          .hasValueSatisfying(s -> assertThat(s).isEqualTo(state(size)));
      net.start();

      assertThat(net.running()).isTrue();
      assertThat(net.migration().holdsLoadedState()).isTrue();
      assertThat(net.snapshot().net().backEnd()).isEmpty();
      rig.noRuleWasBroken();
      assertThat(at(1).record().count(FrontEndRequest.CHECK_DEVICE_STATE)).isEqualTo(1);

      net.reconnect();
      assertThat(net.migration().holdsLoadedState()).as("it knows nothing of it").isFalse();
    }
  }

  @Test
  void howQemuCutsItMeansNothing() {
    VirtioNetState saved = saved(new byte[0]);
    List<Bytes> small =
        new SplittableRandom(7)
            .ints(5_000, 1, 4)
            .mapToObj(size -> Bytes.copyOf(state(size)))
            .toList();
    byte[] all = new byte[small.stream().mapToInt(Bytes::size).sum()];
    ByteBuffer joined = ByteBuffer.wrap(all);
    small.forEach(chunk -> joined.put(chunk.toArray()));
    at(1).device().expectState(all);
    try (VhostNet net = connect(1, true)) {
      net.restore(saved.withNet(saved.net().withBackEnd(Optional.of(small))));

      assertThat(at(1).device().loadedState())
          .hasValueSatisfying(s -> assertThat(s).isEqualTo(all));
    }
  }

  @Test
  void aBackEndThatTakesNoneRefusesItAndNothingChanges() {
    VirtioNetState saved = saved(state(10));
    try (VhostNet net = connect(1, false)) {
      VhostException e = catchThrowableOfType(VhostException.class, () -> net.restore(saved));

      assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP);
      assertThat(e)
          .hasMessageContaining(
              "it does not offer DEVICE_STATE, or VhostDeviceOptions does not ask")
          .hasMessageContaining("NetState.withBackEnd leaves it out");
      assertThat(net.model().status()).isZero();
      assertThat(net.connected()).isTrue();

      net.restore(saved.withNet(saved.net().withBackEnd(Optional.empty())));
      net.start();
      assertThat(net.running()).isTrue();
      assertThat(at(1).record().count(FrontEndRequest.SET_DEVICE_STATE_FD)).isZero();
    }
  }

  @Test
  void aBackEndWithHalfOfAStateIsNotStarted() {
    VirtioNetState saved = saved(state(100_000));
    at(1).device().expectState(state(99_999));
    try (VhostNet net = connect(1, true)) {
      assertThatThrownBy(() -> net.restore(saved))
          .isInstanceOf(BackEndRefusedException.class)
          .hasMessageContaining("CHECK_DEVICE_STATE");

      assertThat(net.model().status()).as("the device is what it was").isZero();
      assertThat(net.connected()).isFalse();
      assertThat(net.migration().holdsLoadedState()).isFalse();

      at(1).device().expectState(state(100_000));
      net.reconnect();
      net.restore(saved);
      net.start();
      assertThat(net.running()).isTrue();
      assertThat(net.model().linkUp()).isTrue();
    }
  }

  @Test
  void aStateThatFitsNoDeviceDoesNotReachTheBackEnd() {
    VirtioNetState saved = saved(state(10));
    VhostDeviceOptions options =
        rig.options(1, Duration.ofSeconds(3)).with(ProtocolFeature.DEVICE_STATE);
    try (VhostNet net = rig.connect(1, Rig.model(0).deviceFeatures(1L << 32).build(), options)) {
      assertThatThrownBy(() -> net.restore(saved))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("features that this device does not offer");

      assertThat(at(1).record().count(FrontEndRequest.SET_DEVICE_STATE_FD)).isZero();
    }
  }

  @Test
  void aDeviceThatRunsNeitherGivesNorTakesOne() {
    assertThatThrownBy(() -> rig.net().migration().snapshotWithBackEndState())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("stop it first");
    VirtioNetState saved = saved(state(10));
    rig.net().start();

    assertThatThrownBy(() -> rig.net().restore(saved))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("stop it first");

    assertThat(rig.net().running()).isTrue();
    rig.noRuleWasBroken();
  }

  @Test
  void aDeviceWhoseGuestWasMigratedAwayMayBeRestored() {
    VirtioNetState saved = saved(state(10));
    at(0).device().expectState(state(10));
    rig.net().migration().handedOver();

    rig.net().restore(saved);
    rig.net().start();

    assertThat(rig.net().running()).isTrue();
    assertThat(rig.net().migration().holdsLoadedState()).isTrue();
  }

  @Test
  void aStateThatDoesNotComeOutIsNotSaved() {
    at(0).device().stateFault(StateFault.ENDS_EARLY);

    assertThatThrownBy(() -> saved(state(100_000))).isInstanceOf(VhostException.class);

    at(0).device().stateFault(StateFault.NONE);
    rig.net().start();
    assertThat(rig.net().running()).isTrue();
  }
}
