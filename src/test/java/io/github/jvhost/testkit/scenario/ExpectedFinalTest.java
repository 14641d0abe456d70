package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.InPlaceTarget;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationListener;
import io.github.jvhost.migration.Phase;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.RingIndex;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The destination's stop window when the guest has moved nothing but its ring indexes. */
@Timeout(120)
class ExpectedFinalTest {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** What a migration came to, and what its destination allocated from first final to resume. */
  private record Arrival(DestinationReport report, long bytes, RingIndex firstRing) {}

  private Arrival migrate(BiConsumer<Phase, VhostNet> atTheSource) throws Exception {
    return migrate(PresetupMode.IMPLICIT, atTheSource);
  }

  private Arrival migrate(PresetupMode mode, BiConsumer<Phase, VhostNet> atTheSource)
      throws Exception {
    AtomicLong opened = new AtomicLong();
    AtomicLong allocated = new AtomicLong();
    try (var directory = SocketDirectory.create();
        var hosts = new StillHosts(directory.path(), ledger);
        Host target = hosts.target();
        var links = Links.connect(directory.path().resolve("m"))) {
      VmControl vm =
          new VmControl() {
            @Override
            public void pause() {
              throw new IllegalStateException("it does not run here");
            }

            @Override
            public void resume() {
              allocated.set(allocatedHere() - opened.get());
            }
          };
      MigrationListener listener =
          phase -> {
            if (phase == Phase.HAND_OVER) {
              opened.set(allocatedHere());
            }
          };
      var arriving =
          new FutureTask<>(() ->
              MigrationDestination.builder()
                  .devices(target.devices())
                  .ram(new InPlaceTarget(target.memory()))
                  .vm(vm)
                  .link(links.destination())
                  .presetup(mode)
                  .listener(listener)
                  .options(
                      StillHosts.options(true)
                          .patience(Duration.ofSeconds(20), Duration.ofSeconds(1)))
                  .build()
                  .run());
      Thread.ofPlatform().daemon().start(arriving);
      VhostNet source = hosts.source.devices().getFirst();
      hosts.departure(links.source(), true, phase -> atTheSource.accept(phase, source)).run();
      DestinationReport report = arriving.get(30, TimeUnit.SECONDS);
      RingIndex index = target.devices().getFirst().model().queue(0).next();
      assertThat(index).isEqualTo(source.model().queue(0).next());
      return new Arrival(report, allocated.get(), index);
    }
  }

  private static long allocatedHere() {
    return THREADS.getThreadAllocatedBytes(Thread.currentThread().threadId());
  }

  @Test
  void itIsComparedAndNotDecoded() throws Exception {
    Arrival arrival = migrate((_, _) -> {});
    assertThat(arrival.report().expectedFinals()).isEqualTo(1);
    assertThat(arrival.report().rehearsal().windows()).isPositive();
    assertThat(arrival.report().starts().getFirst().fallback()).isNull();
  }

  @Test
  void aWindowWithoutPresetupIsRehearsedToo() throws Exception {
    Arrival arrival = migrate(PresetupMode.OFF, (_, _) -> {});
    assertThat(arrival.report().expectedFinals()).isZero();
    assertThat(arrival.report().rehearsal().windows()).isPositive();
    assertThat(arrival.report().starts().getFirst().fallback()).isNull();
  }

  @Test
  void aDeviceThatChangedIsDecoded() throws Exception {
    Arrival arrival =
        migrate((phase, device) -> {
          if (phase == Phase.STOP) { // after the last early record, and before the guest stops
            device.access(() -> device.model().mtu(1400));
          }
        });
    assertThat(arrival.report().expectedFinals()).isZero();
    assertThat(arrival.report().starts().getFirst().plan().describe()).contains("mtu");
  }

  /**
   * From the first final record to the moment at which the guest is told to run. In the first
   * migrations of a JVM some of it is still interpreted, which makes objects of its own.
   */
  @Test
  void theWindowMakesNoObject() throws Exception {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 20 && least > 0; i++) {
      Arrival arrival = migrate((_, _) -> {});
      assertThat(arrival.report().expectedFinals()).isEqualTo(1);
      least = Math.min(least, arrival.bytes());
    }
    assertThat(least).isZero();
  }
}
