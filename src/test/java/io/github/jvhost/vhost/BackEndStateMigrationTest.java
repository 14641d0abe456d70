package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.jvhost.Recovery;
import io.github.jvhost.migration.InPlaceTarget;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.PreCopySource;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.BackEndDevice.StateFault;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.scenario.Links;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A back end keeps something of its own, such as flows, and the guest takes it along. */
@Timeout(120)
class BackEndStateMigrationTest {
  @TempDir private Path dir;

  private Rig rig;
  private final Vm here = new Vm(true);
  private final Vm there = new Vm(false);

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

  @BeforeEach
  void run() {
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC).with(ProtocolFeature.DEVICE_STATE);
    rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC);
    rig.addBackEnd(Faults.none());
    rig.addBackEnd(Faults.none());
    rig.nets.add(rig.connect(0, wanting(rig.options(0, Duration.ofSeconds(3)))));
    rig.driveAll();
    rig.net().start();
  }

  @AfterEach
  void close() {
    rig.close();
  }

  private static VhostDeviceOptions wanting(VhostDeviceOptions options) {
    return options.with(ProtocolFeature.DEVICE_STATE);
  }

  private MockBackEnd at(int host) {
    return rig.backEnds.get(host);
  }

  private static byte[] state(int size) {
    byte[] state = new byte[size];
    new SplittableRandom(size).nextBytes(state);
    return state;
  }

  /**
   * Whether the guest moved; what the destination threw is thrown if the source noticed nothing.
   */
  private void migrate(PresetupMode mode, boolean wanted) throws Exception {
    migrate(mode, wanted, UnaryOperator.identity());
  }

  private void migrate(PresetupMode mode, boolean wanted, UnaryOperator<MigrationLink> sources)
      throws Exception {
    VhostDeviceOptions plain = VhostDeviceOptions.of("net0", dir.resolve("net1"), rig.ledger);
    try (Links links = Links.connect(dir.resolve("m"));
        VhostNet net = rig.connect(1, Rig.model(0).build(), wanted ? wanting(plain) : plain)) {
      MigrationDestination arrival =
          MigrationDestination.builder()
              .devices(List.of(net))
              .ram(new InPlaceTarget(rig.memory))
              .vm(there)
              .link(links.destination())
              .presetup(mode)
              .build();
      var arriving = new FutureTask<>(arrival::run);
      Thread.ofPlatform().daemon().start(arriving);
      MigrationSource.builder(rig.ledger)
          .devices(List.of(rig.net()))
          .ram(new PreCopySource(rig.memory, 0, Runnable::run))
          .vm(here)
          .link(sources.apply(links.source()))
          .build()
          .run();
      assertThat(arriving.get(60, TimeUnit.SECONDS).starts()).allMatch(StartResult::running);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 5_000_000})
  void itIsThereBeforeTheDeviceStarts(int size) throws Exception {
    at(0).device().state(state(size));
    at(1).device().expectState(state(size));

    migrate(PresetupMode.IMPLICIT, true);

    assertThat(there.runs).isTrue();
    assertThat(at(1).device().loadedState())
        .hasValueSatisfying(s -> assertThat(s).isEqualTo(state(size)));
    for (int host = 0; host < 2; host++) {
      assertThat(at(host).record().count(FrontEndRequest.CHECK_DEVICE_STATE)).isEqualTo(1);
      assertThat(at(host).record().violations()).isEmpty();
    }
    List<String> told = at(1).record().names();
    assertThat(told.indexOf("CHECK_DEVICE_STATE"))
        .as("a device that runs takes no state")
        .isLessThan(told.lastIndexOf("SET_VRING_KICK"));
  }

  @ParameterizedTest
  @EnumSource(
      value = StateFault.class,
      names = {"STALLS", "ENDS_EARLY", "NEVER_ENDS"})
  void aStateThatDoesNotComeOutKeepsTheGuestAtTheSource(StateFault fault) {
    at(0).device().state(state(100_000));
    at(0).device().stateFault(fault);

    staysHere(true);
  }

  @Test
  void aStateThatIsNotTakenKeepsTheGuestAtTheSource() {
    at(0).device().state(state(1000));
    at(1).device().expectState(state(1001));

    assertThat(staysHere(true)).hasMessageContaining("CHECK_DEVICE_STATE");
  }

  @Test
  void aDestinationThatTakesNoStateKeepsTheGuestAtTheSource() {
    assertThat(staysHere(false)).hasMessageContaining("DEVICE_STATE");
  }

  /** Sends the end of the state that often. */
  private record EndsOften(MigrationLink link, int times) implements MigrationLink {
    private static final byte BACK_END_STATE = 9;
    private static final int EMPTY = 2 + 4 + 4; // "net0", and no bytes

    @Override
    public void send(ByteBuffer bytes, Deadline deadline) {
      boolean end =
          bytes.get(bytes.position()) == BACK_END_STATE
              && bytes.getInt(bytes.position() + 4) == EMPTY;
      for (int i = 1; end && i < times; i++) {
        link.send(bytes.duplicate(), deadline);
      }
      if (end && times == 0) {
        bytes.position(bytes.limit());
      } else {
        link.send(bytes, deadline);
      }
    }

    @Override
    public void receive(ByteBuffer into, Deadline deadline) {
      link.receive(into, deadline);
    }

    @Override
    public boolean awaitReadable(Deadline deadline) {
      return link.awaitReadable(deadline);
    }

    @Override
    public void close() {
      link.close();
    }
  }

  @Test
  void aStateThatDoesNotEndOnceKeepsTheGuestAtTheSource() {
    at(0).device().state(state(1000));

    assertThat(staysHere(true, link -> new EndsOften(link, 0)))
        .hasMessageContaining("handed over in the middle of the state of net0's back end");
  }

  @Test
  void aStateThatGoesOnBehindItsEndKeepsTheGuestAtTheSource() {
    at(0).device().state(state(1000));

    assertThat(staysHere(true, link -> new EndsOften(link, 2)))
        .hasMessageContaining("more after the end of the state of net0's back end");
  }

  private MigrationException staysHere(boolean wanted) {
    return staysHere(wanted, UnaryOperator.identity());
  }

  private MigrationException staysHere(boolean wanted, UnaryOperator<MigrationLink> sources) {
    MigrationException stayed =
        catchThrowableOfType(
            MigrationException.class, () -> migrate(PresetupMode.OFF, wanted, sources));

    assertThat(stayed).hasMessageContaining("the guest runs on, on the source");
    assertThat(stayed.recovery()).isEqualTo(Recovery.RETRY);
    assertThat(here.runs).isTrue();
    assertThat(there.runs).isFalse();
    assertThat(rig.net().running()).isTrue();
    return stayed;
  }

  @Test
  void whoDoesNotWantItMigratesWithoutIt() throws Exception {
    rig.nets.removeFirst().close();
    rig.nets.add(rig.connect(0, rig.options(0, Duration.ofSeconds(3))));
    rig.driveAll();
    rig.net().start();

    migrate(PresetupMode.IMPLICIT, false);

    assertThat(there.runs).isTrue();
    assertThat(at(0).record().count(FrontEndRequest.SET_DEVICE_STATE_FD)).isZero();
  }
}
