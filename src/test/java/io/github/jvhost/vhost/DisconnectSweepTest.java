package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OpenDescriptors;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RingView;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.NetFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The whole life of a device, again and again; each time its back end hangs up at another point:
 * before, inside and after every message. Whatever the point, the device runs in the end, and
 * nothing is left behind: no thread, no descriptor, no mapping.
 *
 * <pre>
 *   connect - presetup - stop window - queue pairs - memory - log on - log off - stop - start - stop
 *      |          |           |             |           |        |        |        |       |
 *      x          x           x             x           x        x        x        x       x
 * </pre>
 */
class DisconnectSweepTest {
  @TempDir private Path dir;

  /** Kinds of back end that take different messages. */
  enum Kind {
    EXPLICIT_WITH_SLOTS,
    IMPLICIT_DPDK,
    OFF_PACKED;

    BackEndOffer offer() {
      return switch (this) {
        case EXPLICIT_WITH_SLOTS ->
            BackEndOffer.of(Personality.VFE)
                .withDialect(Configs.WITH_PRESETUP)
                .with(ProtocolFeature.CONFIGURE_MEM_SLOTS)
                .with(ProtocolFeature.INFLIGHT_SHMFD)
                .with(ProtocolFeature.BACKEND_REQ)
                .with(ProtocolFeature.RESET_DEVICE);
        case IMPLICIT_DPDK -> BackEndOffer.of(Personality.DPDK);
        case OFF_PACKED ->
            BackEndOffer.of(Personality.GENERIC)
                .withFeatures(BackEndOffer.DEFAULT_FEATURES | NetFeature.RING_PACKED.mask())
                .with(ProtocolFeature.INFLIGHT_SHMFD);
      };
    }

    BackEndProfile profile() {
      return this == IMPLICIT_DPDK ? BackEndProfile.DPDK : BackEndProfile.GENERIC;
    }

    PresetupMode mode() {
      return switch (this) {
        case EXPLICIT_WITH_SLOTS -> PresetupMode.EXPLICIT;
        case IMPLICIT_DPDK -> PresetupMode.IMPLICIT;
        case OFF_PACKED -> PresetupMode.OFF;
      };
    }
  }

  private static final List<Wrong> POINTS =
      List.of(
          new Wrong.HangUpUnread(),
          new Wrong.HangUpInHeader(),
          new Wrong.HangUpInPayload(),
          new Wrong.HangUpBefore(),
          new Wrong.HangUpBeforeAnswer(),
          new Wrong.HangUpInAnswer(0),
          new Wrong.HangUpInAnswer(6),
          new Wrong.HangUpInAnswer(14),
          new Wrong.HangUpAfter());

  @ParameterizedTest
  @EnumSource(Kind.class)
  void everyMessageIsTheLast(Kind kind) throws IOException {
    life(kind, Faults.none(), "warm up"); // what is loaded once stays
    int descriptors = OpenDescriptors.count();
    long mappings = sharedMappings();
    Life whole = life(kind, Faults.none(), "without a fault");
    assertThat(whole.losses).isZero();
    int points = 0;
    int losses = 0;
    for (int message = 1; message <= whole.messages; message++) {
      for (Wrong wrong : POINTS) {
        String at = "%s at message %d".formatted(wrong, message);
        losses += life(kind, Faults.none().atMessage(message, wrong), at).losses;
        points++;
        assertThat(OpenDescriptors.count())
            .as("%s: %s", at, OpenDescriptors.list())
            .isLessThanOrEqualTo(descriptors);
        assertThat(sharedMappings()).as(at).isEqualTo(mappings);
        assertThat(threads()).as(at).isEmpty();
      }
    }
    assertThat(losses).as("most of them were noticed").isGreaterThan(points / 2);
    System.out.printf(
        Locale.ROOT,
        "disconnect sweep %s: %d points in %d messages, %d noticed and recovered from%n",
        kind,
        points,
        whole.messages,
        losses);
  }

  /**
   * What became of one life.
   *
   * @param messages that the back end got
   * @param losses how often something had to be brought back
   */
  private record Life(int messages, int losses) {}

  private Life life(Kind kind, Faults faults, String at) {
    int losses = 0;
    try (Rig rig = new Rig(dir, 0, kind.offer(), kind.profile())) {
      MockBackEnd backEnd = rig.addBackEnd(faults);
      VhostNet net = null;
      for (int attempt = 0; net == null; attempt++) {
        try {
          net = rig.connect(0, java.time.Duration.ofSeconds(10));
        } catch (VhostException e) {
          assertThat(attempt).as("%s: %s", at, e).isZero();
          losses++;
        }
      }
      rig.nets.add(net);
      Rig.drive(net, 0);
      if (kind.mode() != PresetupMode.OFF && !rig.presetup(kind.mode()).getFirst().done()) {
        losses++;
      }
      List<StartResult> started = VhostNetGroup.start(rig.nets, StartOrder.PLANNED);
      losses += started.getFirst().second() == null ? 0 : 1;
      for (Runnable change : changes(rig, net)) {
        losses += survived(net, change, at);
      }
      assertThat(net.running()).as(at).isTrue();
      checkThatItRuns(rig, net, at);
      net.stop();
      if (!net.connected()) {
        losses++;
        net.reconnect().orThrow();
      }
      losses += survived(net, net::start, at);
      checkThatItRuns(rig, net, at);
      net.stop();
      rig.noRuleWasBroken();
      return new Life(backEnd.record().messages().size(), losses);
    }
  }

  /** Everything that changes while a device runs. */
  private static List<Runnable> changes(Rig rig, VhostNet net) {
    List<Runnable> changes = new ArrayList<>();
    if (!net.model().packed()) {
      changes.add(() -> {
        rig.wantQueuePairs(2);
        assertThat(net.serviceControlQueue()).isEqualTo(1);
        int pairs = net.model().currentQueuePairs();
        assertThat(rig.answer()).as("what the driver is told is so").isEqualTo((byte) (2 - pairs));
      });
    }
    DescriptorLedger ledger = rig.ledger;
    changes.add(() -> {
      rig.memory.addRegion("dimm", 8 << 20, 1 << 20);
      net.refresh();
    });
    changes.add(() -> {
      try (DirtyLog log = DirtyLog.create(ledger, rig.memory.table())) {
        try {
          net.migration().logTo(log);
          net.migration().logTo(null);
        } finally {
          net.migration().dropLog();
        }
      }
    });
    changes.add(() -> net.access(() -> net.model().linkUp(false)));
    changes.add(() -> net.access(() -> net.model().linkUp(true)));
    return changes;
  }

  /** A change whose back end goes away is made good by a new connection. */
  private static int survived(VhostNet net, Runnable change, String at) {
    try {
      change.run();
      if (net.connected()) {
        return 0; // an access of the driver's does not fail
      }
    } catch (VhostException e) {
      assertThat(net.model().linkUp() && !net.running()).as("%s: %s", at, e).isFalse();
    }
    try {
      net.migration().runOn();
    } catch (VhostException again) {
      throw new AssertionError(at + ": and again", again);
    }
    return 1;
  }

  private static void checkThatItRuns(Rig rig, VhostNet net, String at) {
    boolean runs = false;
    for (int i = 0; i < 4 && !runs; i++) {
      // A hang-up behind the last answer shows only with the next question, this one's included.
      try {
        net.ask(RoundTrip::features);
      } catch (VhostException e) {
        net.reconnect().orThrow();
      }
      runs = started(rig, 0) && started(rig, 1);
    }
    assertThat(runs).as(at).isTrue();
    assertThat(net.shadow().get(Fact.MEMORY).isHeld()).as(at).isTrue();
  }

  private static boolean started(Rig rig, int ring) {
    return rig.backEnd().ring(ring).filter(RingView::started).isPresent();
  }

  private static Set<String> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(n -> n.startsWith("jvhost-") || n.startsWith("mock back end"))
        .collect(Collectors.toSet());
  }

  /** Shared mappings of this process that have a memory file behind them. */
  private static long sharedMappings() throws IOException {
    try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
      return maps.filter(line -> line.contains("/memfd:")).count();
    }
  }
}
