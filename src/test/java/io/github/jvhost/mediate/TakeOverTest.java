package io.github.jvhost.mediate;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.embedding.Mirror;
import io.github.jvhost.embedding.OwnVm;
import io.github.jvhost.embedding.SmallVmm;
import io.github.jvhost.embedding.TinyDriver;
import io.github.jvhost.mediate.keep.KeeperStore;
import io.github.jvhost.mediate.keep.KeeperThread;
import io.github.jvhost.mediate.keep.StateFile;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.SocketIo;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.net.ReflectingPort;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.user.VhostUserFrontEnd;
import io.github.jvhost.virtio.NetFeature;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A mediator goes on where an earlier one has left off: neither side notices. */
class TakeOverTest {
  @TempDir private Path directory;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final DescriptorLedger ofTheSwitch = DescriptorLedger.tracing();
  private MockBackEnd theSwitch;
  private KeeperThread keeper;

  @BeforeEach
  void aSwitchAndAKeeper() {
    theSwitch = Mirror.start(directory.resolve("switch"), ofTheSwitch);
    keeper = KeeperThread.start(directory.resolve("keeper"));
  }

  @AfterEach
  void nothingIsLeft() {
    keeper.close();
    assertThat(keeper.held()).as("the last mediator has closed what it served").isZero();
    theSwitch.close();
    assertThat(theSwitch.record().violations()).isEmpty();
    assertThat(keeper.ledger().describeOpen()).isEmpty();
    assertThat(ofTheSwitch.describeOpen()).isEmpty();
  }

  /** A guest whose frames come back. */
  private final class Guest implements AutoCloseable {
    private final OwnVm vm = new OwnVm();
    private final SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"));
    private final TinyDriver driver = new TinyDriver(vm, vmm);

    Guest() {
      driver.boot();
    }

    /** Sends a frame that is full of this number, and waits until it comes back. */
    void echo(int number) {
      assertThat(driver.echo(number)).endsWith(number, number);
    }

    @Override
    public void close() {
      vmm.close();
      vm.close();
    }
  }

  private Mediator start() {
    return Mediator.start(options(), ledger);
  }

  private MediatorOptions options() {
    return MediatorOptions.of(
            List.of(
                NicOptions.of(
                    "net0",
                    new FrontEndAddress.Listen(directory.resolve("net0")),
                    new BackEndAddress.Socket(directory.resolve("switch")),
                    BackEndProfile.GENERIC)))
        .withKeeper(directory.resolve("keeper"));
  }

  @Test
  void aSuccessorThatCannotStartLeavesEverythingToTheNext() {
    Mediator first = start();
    try (Guest guest = new Guest()) {
      guest.echo(1);
      first.leave();
      List<NicOptions> two =
          List.of(
              options().nics().getFirst(),
              NicOptions.of(
                  "net1",
                  new FrontEndAddress.Handed("nobody"),
                  new BackEndAddress.Socket(directory.resolve("switch")),
                  BackEndProfile.GENERIC));
      assertThatThrownBy(() -> Mediator.start(options().withNics(two), ledger))
          .as("when net0 is taken up already")
          .hasMessageContaining("a socket with the name nobody");
      guest.echo(2);
      try (Mediator third = start()) {
        assertThat(third.status().getFirst().state()).isEqualTo("RUNNING");
        guest.echo(3);
        assertThatThrownBy(
                () -> third.standby("net0", new BackEndAddress.Socket(directory.resolve("switch"))))
            .hasMessageContaining("is the one that serves it");
      }
    }
  }

  @Test
  void aStateThatNamesWhatTheStoreDoesNotHaveMakesTheNicBeginAnew() {
    Mediator first = start();
    try (Guest guest = new Guest()) {
      guest.echo(1);
      first.leave();
      try (var store =
          KeeperStore.connect(directory.resolve("keeper"), ledger, Duration.ofSeconds(20))) {
        Map<String, OwnedDescriptor> left = store.takeUp();
        left.values().forEach(OwnedDescriptor::close);
        left.keySet().stream().filter(name -> !name.endsWith("state")).forEach(store::remove);
      }
      try (Mediator second = start()) {
        assertThat(second.status().getFirst().state()).isEqualTo("NO_FRONT_END");
      }
    }
  }

  @Test
  void aKeeperThatIsGoneIsSaidByTheStatusAndTheGuestGoesOn() {
    try (Mediator mediator = start();
        Guest guest = new Guest()) {
      guest.echo(1);
      assertThat(mediator.status().getFirst().notSaved()).isNull();
      keeper.close();

      assertThat(mediator.status().getFirst().notSaved()).contains("keeper");
      guest.vmm.linkUp(false);
      guest.vmm.linkUp(true);
      guest.echo(2);
    }
    assertThat(keeper.ledger().describeOpen()).isEmpty();
    keeper = KeeperThread.start(directory.resolve("keeper")); // another one, which holds nothing
  }

  @Test
  void aRunningDeviceIsTakenUpAndServedOn() {
    Mediator first = start();
    try (Guest guest = new Guest()) {
      guest.echo(1);
      // The mediator does not wait for the last message of a start.
      Wait.until(() -> Wait.endsWithAStart(theSwitch.record().names()));
      int told = theSwitch.record().mark();
      first.leave();
      guest.echo(2); // packets need no mediator
      try (Mediator second = start()) {
        guest.echo(3);
        assertThat(second.status().getFirst().state()).isEqualTo("RUNNING");
        assertThat(theSwitch.record().names(told)).as("the switch was told nothing").isEmpty();

        guest.vmm.linkUp(false);
        assertThat(second.status().getFirst().state()).isEqualTo("STOPPED");
        guest.vmm.linkUp(true);
        guest.echo(4);
        assertThat(theSwitch.record().names(told)).contains("GET_VRING_BASE", "SET_VRING_KICK");
      }
    }
  }

  /** What the keeper has, without a mediator. */
  private void atTheKeeper(Consumer<Map<String, OwnedDescriptor>> use) {
    try (var store =
        KeeperStore.connect(directory.resolve("keeper"), ledger, Duration.ofSeconds(20))) {
      Map<String, OwnedDescriptor> left = store.takeUp();
      use.accept(left);
      left.values().forEach(OwnedDescriptor::close);
    }
  }

  private static SavedNic state(Map<String, OwnedDescriptor> left) {
    return SavedNic.decode(file(left).read().orElseThrow());
  }

  private static StateFile file(Map<String, OwnedDescriptor> left) {
    return StateFile.adopt(requireNonNull(left.get("net0/" + StateFile.NAME)));
  }

  private static SavedNic in(NicState state, SavedNic saved) {
    return new SavedNic(
        state,
        saved.kickedSinceStop(),
        saved.announcement(),
        saved.standby(),
        saved.shipped(),
        saved.shippedGeneration(),
        saved.frontEnd(),
        saved.protocolFeatures(),
        saved.device(),
        saved.theSwitch());
  }

  /** The table of {@link NicService#restore}: a device that was saved while it ran. */
  @ParameterizedTest
  @CsvSource({
    "CONNECTED, CONNECTED, false, false",
    "PRESETTING, CONNECTED, false, false",
    "PRESET, CONNECTED, false, false",
    "RUNNING, RUNNING, true, false",
    "NO_SWITCH, RUNNING, false, true",
    "STOPPED, STOPPED, false, false"
  })
  void eachStateThatWasSavedIsTakenUp(
      NicState saved, NicState after, boolean connectionIsUsed, boolean toldEverything)
      throws Exception {
    Mediator first = start();
    try (Guest guest = new Guest()) {
      guest.echo(1);
      Wait.until(() -> Wait.endsWithAStart(theSwitch.record().names()));
      first.leave();
      atTheKeeper(left -> file(left).write(in(saved, state(left)).encoded()));
      int told = theSwitch.record().mark();
      long connections = theSwitch.record().connections();
      try (Mediator second = start()) {
        Wait.until(() ->
            second.status().getFirst().state().equals(after.name())
                && second.status().getFirst().theSwitch() != null);
        assertThat(theSwitch.record().connections() == connections).isEqualTo(connectionIsUsed);
        assertThat(theSwitch.record().names(told).contains("SET_MEM_TABLE"))
            .isEqualTo(toldEverything);
        if (after == NicState.RUNNING) {
          guest.echo(2);
        }
      }
    }
  }

  /**
   * The first mediator was killed when it had read half of a message, and had said that its switch
   * may be told something.
   */
  @Test
  void aMessageThatWasReadAndNotDoneIsReadAgain() {
    Mediator first = start();
    try (Guest guest = new Guest();
        var arena = Arena.ofConfined()) {
      guest.echo(1);
      Wait.until(() -> Wait.endsWithAStart(theSwitch.record().names()));
      first.leave();
      CompletableFuture<Void> down = CompletableFuture.runAsync(() -> guest.vmm.linkUp(false));
      atTheKeeper(left -> {
        SavedNic saved = state(left);
        OwnedDescriptor frontEnd = requireNonNull(left.get(saved.frontEnd()));
        var io = new SocketIo("the first mediator");
        io.leaveInSocket(frontEnd.number());
        List<OwnedDescriptor> arrived = new ArrayList<>();
        Wait.until(
            () -> io.receive(frontEnd.number(), arena.allocate(12), 0, 12, ledger, arrived) == 12);
        file(left).write(in(NicState.NO_SWITCH, saved).encoded());
      });
      try (Mediator second = start()) {
        down.join();
        assertThat(second.status().getFirst().state()).isEqualTo("STOPPED");
        guest.vmm.linkUp(true);
        guest.echo(2);
      }
    }
  }

  @Test
  void aStandbyIsKeptForTheNextMediator() {
    Mediator first = start();
    try (Guest guest = new Guest();
        MockBackEnd standby = Mirror.start(directory.resolve("b"), ofTheSwitch)) {
      guest.echo(1);
      first.standby("net0", new BackEndAddress.Socket(standby.socket()));
      Wait.until(() -> isReady(first.status().getFirst().standby()));
      first.leave();
      standby.hangUp(); // the end of a process would do that
      try (Mediator second = start()) {
        Wait.until(() -> isReady(second.status().getFirst().standby()));
        theSwitch.close();
        guest.echo(2);
        assertThat(standby.isRunning()).isTrue();
      }
    }
  }

  private static boolean isReady(NicStatus.@Nullable Standby standby) {
    return standby != null && standby.ready();
  }

  @Test
  void aStandbyThatServesAlreadyIsNoReasonToLoseTheGuest() {
    Mediator first = start();
    try (Guest guest = new Guest();
        MockBackEnd b = Mirror.start(directory.resolve("b"), ofTheSwitch)) {
      first.standby("net0", new BackEndAddress.Socket(b.socket()));
      Wait.until(() -> isReady(first.status().getFirst().standby()));
      first.move("net0", new BackEndAddress.Socket(b.socket()), Duration.ofSeconds(20));
      first.leave();
      try (Mediator second = start()) {
        guest.echo(1);
        assertThat(second.status().getFirst().state()).isEqualTo("RUNNING");
        assertThat(second.status().getFirst().standby()).isNull();
      }
    }
  }

  @Test
  void aSwitchThatConnectsIsWaitedForAgainWhereTheDeviceWasMovedTo() {
    String listen = "listen:" + directory.resolve("b");
    Path control = directory.resolve("control");
    Mediator first = Mediator.start(options().withControl(control), ledger);
    try (Guest guest = new Guest()) {
      guest.echo(1);
      CompletableFuture<String> moved =
          CompletableFuture.supplyAsync(() ->
              ControlClient.ask(control, "move net0 " + listen, Duration.ofSeconds(60), ledger));
      MockBackEnd other = comesTo("b");
      assertThat(moved.join()).contains("\"ok\":true");
      first.leave();
      try (Mediator second = start()) {
        guest.echo(2);
        other.close();
        try (MockBackEnd again = comesTo("b")) {
          guest.echo(3);
          assertThat(again.isRunning()).isTrue();
        }
        assertThat(second.status().getFirst().name()).isEqualTo("net0");
      }
    }
  }

  /** A switch that connects, and sends every frame back. */
  private MockBackEnd comesTo(String name) {
    return MockBackEnd.builder(directory.resolve("of " + name), ofTheSwitch)
        .offer(MediatedGuest.usual())
        .port(new ReflectingPort(name, 64))
        .connectsTo(directory.resolve(name))
        .start();
  }

  /** A front end that does not say by the status byte when its device runs. */
  private static void describe(VhostUserFrontEnd frontEnd, MemoryFile memory, EventFd event) {
    long user = 0x7f00_0000_0000L;
    long features = NetFeature.VERSION_1.mask() | VhostFeature.PROTOCOL_FEATURES;
    frontEnd.getFeatures();
    frontEnd.setProtocolFeatures(frontEnd.getProtocolFeatures() & ~ProtocolFeature.STATUS.mask());
    frontEnd.setFeatures(features);
    frontEnd.setMemTable(
        List.of(new MemoryRegionPayload(0, 1 << 20, user, 0)), List.of(memory.descriptor()));
    frontEnd.setVringNum(0, 256);
    frontEnd.setVringBase(0, 0);
    frontEnd.setVringAddr(new VringAddress(0, 0, user, user + 0x2000, user + 0x1000, 0));
    frontEnd.setVringKick(0, event.descriptor());
  }

  @Test
  void aRingThatGotItsKickStartsWhenTheNextMediatorIsToldTheRest() {
    Mediator first = start();
    try (var memory = MemoryFile.create(ledger, "memory", 1 << 20);
        var event = EventFd.create(ledger, "event");
        var channel =
            VhostUserChannel.connect(
                directory.resolve("net0"),
                "front end",
                Dialect.UPSTREAM,
                ledger,
                MediatedGuest.soon())) {
      var frontEnd = new VhostUserFrontEnd(channel, Duration.ofSeconds(20));
      describe(frontEnd, memory, event);
      frontEnd.getFeatures(); // the mediator has done all of it
      first.leave();
      try (Mediator second = start()) {
        frontEnd.setVringEnable(0, true);
        Wait.until(() -> second.status().getFirst().state().equals("RUNNING"));
      }
    }
  }
}
