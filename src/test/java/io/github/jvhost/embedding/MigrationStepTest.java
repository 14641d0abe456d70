package io.github.jvhost.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.jvhost.Recovery;
import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.MigrationListener;
import io.github.jvhost.migration.MigrationOptions;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.Phase;
import io.github.jvhost.migration.SourceReport;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The guide's migration: two VMMs, their own stream between them, and a guest that moves. */
class MigrationStepTest {
  @TempDir private Path directory;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final Guest here = new Guest(true);
  private final Guest there = new Guest(false);
  private MockBackEnd leftBackEnd;
  private MockBackEnd rightBackEnd;
  private OwnVm leftVm;
  private OwnVm rightVm;
  private SmallVmm left;
  private SmallVmm right;
  private VmmStream out;
  private VmmStream in;
  private TinyDriver driver;

  /** Whether the vCPUs run. */
  private static final class Guest implements VmControl {
    private volatile boolean runs;

    Guest(boolean runs) {
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
  void twoHosts() throws IOException {
    leftBackEnd = Mirror.start(directory.resolve("l"), ledger);
    rightBackEnd = Mirror.start(directory.resolve("r"), ledger);
    leftVm = new OwnVm();
    rightVm = new OwnVm();
    left = new SmallVmm(leftVm, leftBackEnd.socket());
    right = new SmallVmm(rightVm, rightBackEnd.socket());
    var address = UnixDomainSocketAddress.of(directory.resolve("m"));
    try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(address);
      out = new VmmStream(SocketChannel.open(address), left.memory);
      in = new VmmStream(listener.accept(), right.memory);
    }
    driver = new TinyDriver(leftVm, left);
    driver.boot();
    driver.echo(1);
  }

  @AfterEach
  void everythingIsClosed() {
    out.close();
    in.close();
    left.close();
    right.close();
    leftVm.close();
    rightVm.close();
    leftBackEnd.close();
    rightBackEnd.close();
    assertThat(leftBackEnd.record().violations()).isEmpty();
    assertThat(rightBackEnd.record().violations()).isEmpty();
    assertThat(ledger.describeOpen()).isEmpty();
    assertThat(left.ledger.describeOpen()).isEmpty();
    assertThat(right.ledger.describeOpen()).isEmpty();
  }

  private MigrationSource source(MigrationListener listener) {
    SmallVmm vmm = left;
    OwnVm vm = leftVm;
    VmmStream stream = out;
    VmControl guest = here;
    // guide: source
    MigrationOptions how =
        MigrationOptions.defaults()
            .patience(Duration.ofSeconds(20), Duration.ofSeconds(1))
            .stopAt(64, 30);
    MigrationSource source =
        MigrationSource.builder(vmm.ledger)
            .devices(List.of(vmm.net))
            .ram(new VmmRam(vm, vmm.memory, stream))
            .vm(guest)
            .link(stream)
            .options(how)
            .listener(listener)
            .build();
    // guide: end
    return source;
  }

  private MigrationDestination destination() {
    SmallVmm vmm = right;
    VmmStream stream = in;
    VmControl guest = there;
    // guide: destination
    MigrationDestination destination =
        MigrationDestination.builder()
            .devices(List.of(vmm.net))
            .ram(new VmmRamTarget(vmm.memory))
            .vm(guest)
            .link(stream)
            .presetup(PresetupMode.IMPLICIT)
            .build();
    // guide: end
    return destination;
  }

  private CompletableFuture<DestinationReport> arriving() {
    MigrationDestination destination = destination();
    var arriving = new CompletableFuture<DestinationReport>();
    Thread.ofPlatform()
        .daemon()
        .start(() -> {
          try {
            arriving.complete(destination.run());
          } catch (MigrationException e) {
            arriving.completeExceptionally(e);
          }
        });
    return arriving.orTimeout(60, TimeUnit.SECONDS);
  }

  @Test
  void aGuestMovesWithItsNicAndFramesComeBackThere() {
    CompletableFuture<DestinationReport> arriving = arriving();
    MigrationSource source = source(_ -> {});
    // guide: migrate
    SourceReport left = source.run(); // on a thread of the VMM's; the destination's run() likewise
    // guide: end
    DestinationReport arrived = arriving.join();

    assertThat(here.runs).isFalse();
    assertThat(there.runs).isTrue();
    assertThat(left.fallback()).isNull();
    assertThat(arrived.presetups().get("net0").done()).isTrue();
    assertThat(
            this.left.memory.slice(0, SmallVmm.HALF).mismatch(right.memory.slice(0, SmallVmm.HALF)))
        .isEqualTo(-1);
    TinyDriver moved = driver.movedTo(rightVm, right);
    assertThat(moved.echo(2)).endsWith(2, 2);
    moved.write(0x44, 0);
    assertThat(moved.read(0x70)).as("a ring that is given up needs no reset").isEqualTo(0xf);
    assertThat(leftBackEnd.record().delivered()).isEqualTo(1);
    assertThat(rightBackEnd.record().delivered()).isEqualTo(1);
  }

  @Test
  void aCommandThatNobodyServedBeforeTheGuestWasPausedIsAnsweredThere() {
    driver.leaveCommand(0, 0, 0);
    rightVm.line().drain();
    CompletableFuture<DestinationReport> arriving = arriving();
    source(_ -> {}).run();
    arriving.join();

    assertThat(driver.answer()).as("not here").isEqualTo((byte) -1);
    assertThat(driver.movedTo(rightVm, right).answer()).isZero();
    assertThat(rightVm.line().drain()).as("the guest was interrupted").isPositive();
  }

  @Test
  void aDriverThatIsMovedInTheMiddleOfARingsRegistersGoesOnThere() {
    driver.beginControlRing();
    CompletableFuture<DestinationReport> arriving = arriving();
    source(_ -> {}).run();
    arriving.join();

    TinyDriver moved = driver.movedTo(rightVm, right);
    assertThat(moved.read(0x44)).as("it is not enabled yet").isZero();
    moved.finishControlRing();
    assertThat(moved.read(0x44)).isEqualTo(1);
    moved.putCommand(0, 0, 0);
    moved.write(0x50, 2);
    assertThat(moved.answer()).isZero();
  }

  @Test
  void aCancelledMigrationLeavesTheGuestWhereItWas() {
    CompletableFuture<DestinationReport> arriving = arriving();
    var started = new CompletableFuture<MigrationSource>();
    MigrationSource source =
        source(phase -> {
          if (phase == Phase.ITERATE) {
            started.join().cancel("the operator asked for it");
          }
        });
    started.complete(source);
    MigrationException end = catchThrowableOfType(MigrationException.class, source::run);

    assertThat(end.recovery()).isEqualTo(Recovery.RETRY);
    assertThat(end).hasMessageContaining("the operator asked for it");
    assertThat(here.runs).isTrue();
    assertThat(driver.echo(3)).endsWith(3, 3);
    var other = catchThrowableOfType(CompletionException.class, arriving::join);
    assertThat(other).hasCauseInstanceOf(MigrationException.class);
    assertThat(there.runs).isFalse();
    assertThat(right.net.connected()).isFalse();
  }

  @Test
  void whatTheGuideDoesWithAFailureRunsTheGuestOnOneSide() {
    CompletableFuture<DestinationReport> arriving = arriving();
    in.close();
    assertThat(leave(source(_ -> {}))).isEqualTo("runs here");
    assertThat(here.runs).isTrue();
    assertThat(arriving.handle((_, failed) -> failed).join()).isNotNull();
    assertThat(driver.echo(4)).endsWith(4, 4);
  }

  private static String leave(MigrationSource source) {
    // guide: outcome
    try {
      source.run();
      return "runs there";
    } catch (MigrationException e) {
      return switch (e.recovery()) {
        case RETRY -> "runs here"; // as before; try again, with a new destination
        case RECONNECT -> "runs here, without: " + e.getMessage(); // some device has no back end
        case GIVE_UP -> "stands still here: " + e.getMessage(); // handed over: ask the other side
      };
    }
    // guide: end
  }
}
