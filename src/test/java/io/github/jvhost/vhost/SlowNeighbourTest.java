package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.testkit.BackEndRecord;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.vhost.plan.BackEndEvents;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Two devices on one watch. Whatever the watch waits for at the first one, the back end of the
 * second one gets its translations meanwhile.
 */
@Timeout(120)
class SlowNeighbourTest extends IommuRig {
  private static final long BUFFER = 0x9000_0000L;
  private static final long OTHER = 0x9100_0000L;

  private final CountDownLatch reached = new CountDownLatch(1);
  private final CountDownLatch goOn = new CountDownLatch(1);
  private BackEndWatch watch;
  private VhostNet first;

  @BeforeEach
  void startBoth() {
    watch =
        BackEndWatch.start(
            rig.ledger,
            new BackEndWatch.Listener() {
              @Override
              public void lost(VhostNet net, VhostException why) {
                var _ = standStill();
              }
            });
    BackEndEvents events =
        new BackEndEvents() {
          @Override
          public void iotlbAccessFailed(Iotlb access) {
            var _ = standStill();
          }
        };
    mapRings();
    first = started(0, rig.options(0, Duration.ofMinutes(2)).withEvents(events));
    rig.addBackEnd(Faults.none());
    VhostNet second = started(1, rig.options(1, Duration.ofSeconds(10)));
    watch.watch(first, new ReconnectPolicy.Never());
    watch.watch(second, new ReconnectPolicy.Never());
  }

  @AfterEach
  void closeWatch() {
    goOn.countDown();
    rig.backEnd().hangUp(); // ends whatever still waits for it
    watch.close();
  }

  private boolean standStill() {
    reached.countDown();
    try {
      return goOn.await(60, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private void assertSecondIsServed() throws Exception {
    BackEndRecord record = rig.backEnds.get(1).record();
    iommu.map(OTHER, 0x201000, PAGE, Access.READ_WRITE);
    long before = record.iotlb().updates();
    ask(1, OTHER, Access.READ);
    assertThat(record.await(r -> r.iotlb().updates() > before, Rig.soon())).isTrue();
  }

  private void awaitStandStill() throws InterruptedException {
    assertThat(reached.await(20, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void whileAPlanOfTheWatchIsNotAcknowledged() throws Exception {
    iommu.map(BUFFER, 0x200000, PAGE, Access.READ);
    ask(BUFFER, Access.READ);
    iommu.unmap(BUFFER, PAGE);
    iommu.map(BUFFER, 0x200000, PAGE, Access.READ_WRITE);
    rig.backEnd()
        .arm(Faults.none().at(FrontEndRequest.IOTLB_MSG, 1, new Faults.Wrong.NeverAnswers()));
    BackEndRecord record = rig.backEnd().record();
    long before = record.count(FrontEndRequest.IOTLB_MSG);

    ask(BUFFER, Access.READ_WRITE); // a plan has to withdraw the entry that may only be read
    assertThat(record.await(r -> r.count(FrontEndRequest.IOTLB_MSG) > before, Rig.soon())).isTrue();

    assertSecondIsServed();
    assertThat(first.running()).as("its plan has not ended").isTrue();
  }

  @Test
  void whileACallOfTheFirstHoldsItsLock() throws Exception {
    try (EventFd err = EventFd.create(rig.ledger, "ring 0 err")) {
      RingEventfds rings = rig.eventfds.getFirst().getFirst();
      first.changeEventfds(0, new RingEventfds(rings.kick(), rings.call(), err));
      var reading = StillBackEnd.elsewhere(() -> first.read(_ -> standStill()));
      awaitStandStill();
      err.signal();

      assertSecondIsServed();
      assertThat(reading).isNotDone();

      goOn.countDown();
      first.changeEventfds(0, rings);
    }
  }

  @Test
  void whileAHandlerOfTheFirstReturnsLate() throws Exception {
    var failed = new Iotlb(BUFFER, 0, 0, Access.READ.bits(), Iotlb.ACCESS_FAIL);
    var _ = rig.backEnd().askFrontEnd(BackEndRequest.IOTLB_MSG, failed, List.of(), true);
    awaitStandStill();

    assertSecondIsServed();
  }

  @Test
  void whileTheListenerReturnsLate() throws Exception {
    rig.backEnd().hangUp();
    awaitStandStill();

    assertSecondIsServed();
  }
}
