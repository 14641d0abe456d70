package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndEvents;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.RingEventfd;
import io.github.jvhost.vhost.plan.RingShadow;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A ring gets other eventfds: before it runs, while it runs, and behind a start made ahead. */
class EventfdChangeTest {
  @TempDir private Path dir;

  private static RingEventfds fresh(Rig rig, String what) {
    return new RingEventfds(
        EventFd.create(rig.ledger, what + " kick"), EventFd.create(rig.ledger, what + " call"));
  }

  /** Gives a ring of the first device others, and closes what only the former ones had. */
  private static void change(Rig rig, int ring, RingEventfds others) {
    RingEventfds before = rig.net().changeEventfds(ring, others);
    assertThat(before).isEqualTo(rig.eventfds.getFirst().get(ring));
    List<RingEventfds> now = new ArrayList<>(rig.eventfds.getFirst());
    now.set(ring, others);
    rig.eventfds.set(0, now);
    if (!before.kick().equals(others.kick())) {
      before.kick().close();
    }
    if (!before.call().equals(others.call())) {
      before.call().close();
    }
    EventFd err = before.err();
    if (err != null && !err.equals(others.err())) {
      err.close();
    }
  }

  private static Rig running(Path dir, BackEndOffer offer, BackEndProfile profile) {
    Rig rig = new Rig(dir, 1, offer, profile);
    rig.driveAll();
    rig.net().start();
    return rig;
  }

  private static List<String> since(Rig rig, int mark) {
    return Rig.marked(rig.backEnd().record().since(mark));
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void aCallChangesWhileTheRingRunsAndIsAcknowledgedBeforeTheOldOneIsGivenBack(
      Personality personality) {
    try (Rig rig = running(dir, BackEndOffer.of(personality), BackEndProfile.GENERIC)) {
      int mark = rig.backEnd().record().mark();
      EventFd call = EventFd.create(rig.ledger, "another call");
      EventFd kick = rig.eventfds.getFirst().getFirst().kick();
      change(rig, 0, new RingEventfds(kick, call));
      assertThat(since(rig, mark)).first().isEqualTo("SET_VRING_CALL!");
      assertThat(since(rig, mark)).as("and nothing else but the barrier").hasSize(2);
      assertThat(call.drain()).as("what the back end said meanwhile is not lost").isPositive();
      assertThat(rig.backEnd().ring(0).orElseThrow().started()).isTrue();
      assertThat(rig.net().running()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void withoutAcknowledgementsTheBarrierVouchesForIt() {
    BackEndOffer offer =
        BackEndOffer.of(Personality.LIBVHOST_USER).without(ProtocolFeature.REPLY_ACK);
    try (Rig rig = running(dir, offer, BackEndProfile.LIBVHOST_USER)) {
      int mark = rig.backEnd().record().mark();
      EventFd kick = rig.eventfds.getFirst().getFirst().kick();
      change(rig, 0, new RingEventfds(kick, EventFd.create(rig.ledger, "another call")));
      assertThat(since(rig, mark)).containsExactly("SET_VRING_CALL", "GET_FEATURES");
      rig.noRuleWasBroken();
    }
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void aKickChangesOnceTheRingHasStopped(Personality personality) {
    try (Rig rig = new Rig(dir, 1, BackEndOffer.of(personality), BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.ringsAreAtSomeIndex();
      rig.net().start();
      int mark = rig.backEnd().record().mark();
      change(rig, 1, fresh(rig, "another"));
      assertThat(since(rig, mark)).containsSubsequence("GET_VRING_BASE", "SET_VRING_KICK!");
      assertThat(rig.backEnd().ring(1).orElseThrow().started()).isTrue();
      assertThat(rig.backEnd().ring(1).orElseThrow().base()).as("not rewound").isEqualTo(11);
      assertThat(rig.net().running()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void oneThatDoesNotRunIsToldAtItsNextStart() {
    try (Rig rig = new Rig(dir, 1, BackEndOffer.of(Personality.DPDK), BackEndProfile.DPDK)) {
      rig.driveAll();
      int mark = rig.backEnd().record().mark();
      change(rig, 1, fresh(rig, "another"));
      assertThat(since(rig, mark)).isEmpty();
      assertThat(rig.net().running()).isFalse();
      rig.net().start();
      holds(rig, 1);
    }
  }

  private static void holds(Rig rig, int ring) {
    RingEventfds now = rig.eventfds.getFirst().get(ring);
    RingShadow held = rig.net().shadow().ring(ring);
    assertThat(held.get(Fact.CALL).is(new RingEventfd.Fd(now.call().descriptor()))).isTrue();
    assertThat(held.get(Fact.KICK).is(new RingEventfd.Fd(now.kick().descriptor()))).isTrue();
    rig.noRuleWasBroken();
  }

  @Test
  void aStartThatWasMadeAheadOfTimeDoesNotTellTheFormerOnes() {
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    try (Rig rig = new Rig(dir, 1, offer, BackEndProfile.GENERIC)) {
      rig.driveAll();
      assertThat(rig.presetup(PresetupMode.IMPLICIT)).allMatch(PresetupResult::done);
      assertThat(rig.net().migration().prepareStart(rig.net().snapshot())).isTrue();
      change(rig, 1, fresh(rig, "another"));
      assertThat(VhostNetGroup.start(rig.nets, StartOrder.PLANNED)).allMatch(StartResult::running);
      holds(rig, 1);
    }
  }

  @Test
  void aBackEndThatRefusesOneIsLostAndItIsThereAfterAReconnection() {
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    try (Rig rig = running(dir, offer, BackEndProfile.GENERIC)) {
      rig.backEnd()
          .arm(Faults.none().at(FrontEndRequest.SET_VRING_CALL, 1, new Faults.Wrong.Refuse()));
      RingEventfds before = rig.eventfds.getFirst().get(2);
      RingEventfds others =
          new RingEventfds(before.kick(), EventFd.create(rig.ledger, "another call"));
      assertThat(rig.net().changeEventfds(2, others)).isEqualTo(before);
      assertThat(rig.net().connected()).as("so nobody signals the former one").isFalse();
      before.call().close();
      rig.net().reconnect().orThrow();
      List<RingEventfds> now = new ArrayList<>(rig.eventfds.getFirst());
      now.set(2, others);
      rig.eventfds.set(0, now);
      holds(rig, 2);
    }
  }

  @Test
  void anErrComesAndGoesAndIsHeardMeanwhile() throws Exception {
    BlockingQueue<String> heard = new LinkedBlockingQueue<>();
    BackEndEvents events =
        new BackEndEvents() {
          @Override
          public void ringFailed(int ring) {
            heard.add("failed " + ring);
          }
        };
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    try (Rig rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      rig.addBackEnd(Faults.none());
      rig.nets.add(rig.connect(0, rig.options(0, Duration.ofSeconds(10)).withEvents(events)));
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      rig.driveAll();
      rig.net().start();
      RingEventfds without = rig.eventfds.getFirst().get(0);
      int mark = rig.backEnd().record().mark();
      change(rig, 0, without.withErr(EventFd.create(rig.ledger, "err of ring 0")));
      change(rig, 0, without);
      assertThat(since(rig, mark)).filteredOn("SET_VRING_ERR!"::equals).hasSize(2);
      assertThat(rig.backEnd().record().descriptors(FrontEndRequest.SET_VRING_ERR))
          .as("the second takes the first back")
          .isEqualTo(1);

      RingEventfds plain = rig.eventfds.getFirst().get(1);
      change(rig, 1, plain.withErr(EventFd.create(rig.ledger, "err of ring 1")));
      rig.availIndex(0, 1, 60_000); // more than the ring has entries
      rig.net().kick(1);
      assertThat(heard.poll(20, TimeUnit.SECONDS)).isEqualTo("failed 1");
      rig.noRuleWasBroken();
    }
  }

  @Test
  void whatWasSaidOnAnErrThatGoesIsHeard() throws Exception {
    BlockingQueue<Integer> heard = new LinkedBlockingQueue<>();
    BackEndEvents events =
        new BackEndEvents() {
          @Override
          public void ringFailed(int ring) {
            heard.add(ring);
          }
        };
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    try (Rig rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      rig.addBackEnd(Faults.none());
      rig.nets.add(rig.connect(0, rig.options(0, Duration.ofSeconds(10)).withEvents(events)));
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      RingEventfds without = rig.eventfds.getFirst().get(3);
      EventFd err = EventFd.create(rig.ledger, "err of ring 3");
      change(rig, 3, without.withErr(err));
      err.signal();
      change(rig, 3, without);
      assertThat(heard.poll(20, TimeUnit.SECONDS)).isEqualTo(3);
    }
  }

  @Test
  void aRingThatIsNotThereAndNothingAreRefused() {
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    try (Rig rig = new Rig(dir, 1, offer, BackEndProfile.GENERIC)) {
      RingEventfds some = rig.eventfds.getFirst().getFirst();
      assertThatThrownBy(() -> rig.net().changeEventfds(4, some))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("no ring 4 with eventfds: its back end serves 0 to 3");
      rig.net().close();
      assertThatThrownBy(() -> rig.net().changeEventfds(0, some))
          .isInstanceOf(IllegalStateException.class);
    }
  }
}
