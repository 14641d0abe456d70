package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.Carrier;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A back end that cannot ask for translations any more, or has refused one, is connected anew. It
 * would wait for them for ever otherwise.
 */
class LostMissServiceTest extends IommuRig {
  private static final long BUFFER = 0x9000_0000L;
  private static final long OTHER = 0x9100_0000L;

  private final BlockingQueue<String> told = new LinkedBlockingQueue<>();
  private BackEndWatch watch;

  @BeforeEach
  void startWatch() {
    watch =
        BackEndWatch.start(
            rig.ledger,
            new BackEndWatch.Listener() {
              @Override
              public void lost(VhostNet net, VhostException why) {
                told.add("lost: " + why.getMessage());
              }

              @Override
              public void recovered(VhostNet net, int attempts, boolean running) {
                told.add(running ? "running" : "connected");
              }
            });
  }

  @AfterEach
  void closeWatch() {
    watch.close();
  }

  private VhostNet watched(VhostNet net) {
    watch.watch(net, new ReconnectPolicy.Fixed(Duration.ofMillis(1), 0));
    return net;
  }

  private String next() throws InterruptedException {
    String one = told.poll(20, TimeUnit.SECONDS);
    return one == null ? "nothing within 20 s" : one;
  }

  private void assertMissesAreServedAgain() throws Exception {
    assertThat(next()).isEqualTo("running");
    iommu.map(OTHER, 0x201000, PAGE, Access.READ_WRITE);
    long before = updates();
    ask(OTHER, Access.READ);
    assertThat(rig.backEnd().record().await(r -> r.iotlb().updates() > before, Rig.soon()))
        .isTrue();
    rig.noRuleWasBroken();
  }

  @Test
  void afterAPermissionThatDoesNotExist() throws Exception {
    watched(running());
    byte[] miss = new byte[32];
    miss[24] = (byte) 0x80;
    miss[25] = Iotlb.MISS;

    var _ = rig.backEnd().askNonsense(BackEndRequest.IOTLB_MSG.id(), 1, miss, List.of());

    assertThat(next()).startsWith("lost: ").contains("back-end channel").contains("permission 128");
    assertMissesAreServedAgain();
  }

  @Test
  void afterARequestOfAWrongSize() throws Exception {
    watched(running());

    var _ =
        rig.backEnd()
            .askNonsense(BackEndRequest.IOTLB_MSG.id(), 9, new byte[] {1, 2, 3}, List.of());

    assertThat(next()).startsWith("lost: net0 back-end channel: ");
    assertMissesAreServedAgain();
  }

  @Test
  void afterTheBackEndHasClosedItsChannel() throws Exception {
    watched(running());

    rig.backEnd().hangUpChannel();

    assertThat(next())
        .startsWith("lost: net0 back-end channel: the back end closed it")
        .contains("behind an IOMMU");
    assertMissesAreServedAgain();
  }

  /** The channel ends while it is not needed yet. */
  @Test
  void whenTheDriverComesAfterTheChannelHasGone() throws Exception {
    VhostNet net = watched(connect(iommu));
    mapRings();
    rig.backEnd().hangUpChannel();
    drive(net);

    net.start();

    assertThat(next()).startsWith("lost: net0 back-end channel: ");
    assertMissesAreServedAgain();
  }

  @Test
  void afterARefusedAnswerToAMiss() throws Exception {
    watched(running());
    iommu.map(BUFFER, 0x200000, PAGE, Access.READ_WRITE);
    rig.backEnd().arm(Faults.none().atEvery(FrontEndRequest.IOTLB_MSG, new Faults.Wrong.Refuse()));

    ask(BUFFER, Access.READ);

    assertThat(next()).startsWith("lost: net0: the back end has asked for IOTLB_MSG, and has");
    rig.backEnd().arm(Faults.none());
    assertMissesAreServedAgain();
  }

  /** It hangs up altogether: its rings have stopped, so there is nothing to invalidate. */
  @Test
  void aBackEndThatHasHungUpHoldsNothing() throws Exception {
    VhostNet net = running();
    rig.backEnd().hangUp();
    assertThat(rig.backEnd().record().await(r -> r.disconnections() == 1, Rig.soon())).isTrue();

    watched(net);

    assertThat(next()).startsWith("lost: ");
    net.iotlbInvalidate(0, -1);
  }

  /** There only notifications go over the channel. */
  @Test
  void withoutAnIommuTheDeviceGoesOnWithoutTheChannel() throws Exception {
    rig.replaceBackEnd(BackEndOffer.of(Personality.GENERIC));
    VhostNet net = connect(Iommu.NONE);
    Rig.drive(net, 0);
    net.start();
    watched(net);

    rig.backEnd().hangUpChannel();
    Deadline end = Rig.soon();
    while (net.ask(Carrier::backEndNumber) >= 0) {
      assertThat(end.expired()).as("the watch has not seen it").isFalse();
      Thread.onSpinWait();
    }

    rig.backEnd().hangUp(); // the first thing that the watch tells of
    assertThat(next()).startsWith("lost: ").doesNotContain("back-end channel");
    assertThat(next()).isEqualTo("running");
  }
}
