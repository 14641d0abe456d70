package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.RetiredRegion;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RingView;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.RingConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Rings stop and go on while the connection lives on: a back end that forgot at GET_VRING_BASE what
 * it was told of a ring is told it again, whatever made the ring stop.
 */
class RingsSentAgainTest {
  @TempDir private Path dir;

  /** What makes rings stop and start again. */
  private enum Occasion {
    STOP_AND_START {
      @Override
      void happens(Rig rig) {
        assertThat(rig.net().stop().complete()).isTrue();
        rig.net().start();
      }
    },
    LINK_DOWN_AND_UP {
      @Override
      void happens(Rig rig) {
        rig.net().linkUp(false);
        assertThat(rig.backEnd().isRunning()).isFalse();
        rig.net().linkUp(true);
      }
    },
    GUEST_REBOOT {
      @Override
      void happens(Rig rig) {
        rig.net().access(() -> rig.net().model().setStatus(0));
        for (int ring = 0; ring < Rig.RINGS; ring++) {
          rig.used(0, ring, 0);
        }
        rig.net().access(() -> Rig.drive(rig.net(), 0));
      }
    },
    MIGRATION_FAILED {
      @Override
      void happens(Rig rig) {
        assertThat(VhostNetGroup.stop(rig.nets, StartOrder.PLANNED)).allMatch(Outcome::complete);
        rig.net().migration().runOn();
      }
    },
    MEMORY_MOVED {
      @Override
      void happens(Rig rig) {
        String name = rig.memory.table().regions().getFirst().name();
        try (OwnedDescriptor file = rig.memory.table().regions().getFirst().file().duplicate();
            RetiredRegion before = rig.memory.retireRegion(name)) {
          rig.memory.addRegion(name + " again", 0, before.region().size(), file, 0);
          rig.net().refresh();
        }
      }
    },
    QUEUE_PAIRS_CHANGED {
      @Override
      void happens(Rig rig) {
        rig.net().linkUp(false);
        rig.net().linkUp(true);
        rig.setQueuePairs(2);
        rig.setQueuePairs(1);
        rig.setQueuePairs(2);
      }
    };

    abstract void happens(Rig rig);
  }

  /** A back end, and what is known of it. */
  record BackEnd(BackEndOffer offer, BackEndProfile profile) {
    @Override
    public String toString() {
      boolean status = ProtocolFeature.STATUS.isIn(offer.protocolFeatures());
      return "%s as %s, %s STATUS"
          .formatted(offer.personality(), profile, status ? "with" : "without");
    }
  }

  private static Stream<BackEnd> backEnds() {
    List<BackEnd> all = new ArrayList<>();
    for (Personality personality : Personality.values()) {
      BackEndOffer offer = BackEndOffer.of(personality);
      all.add(new BackEnd(offer.with(ProtocolFeature.STATUS), BackEndProfile.GENERIC));
      all.add(new BackEnd(offer.without(ProtocolFeature.STATUS), BackEndProfile.GENERIC));
    }
    BackEndOffer dpdk = BackEndOffer.of(Personality.DPDK);
    all.add(new BackEnd(dpdk, BackEndProfile.DPDK));
    all.add(new BackEnd(dpdk.without(ProtocolFeature.STATUS), BackEndProfile.DPDK));
    all.add(new BackEnd(BackEndOffer.of(Personality.LIBVHOST_USER), BackEndProfile.LIBVHOST_USER));
    BackEndOffer vfe = BackEndOffer.of(Personality.VFE);
    all.add(new BackEnd(vfe, BackEndProfile.NVIDIA_VFE));
    all.add(new BackEnd(vfe.without(ProtocolFeature.STATUS), BackEndProfile.NVIDIA_VFE));
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("backEnds")
  void everyRingIsWholeAgainWhateverMadeItStop(BackEnd backEnd) {
    for (Occasion occasion : Occasion.values()) {
      Path place = dir.resolve(occasion.name().substring(0, 4));
      assertThat(place.toFile().mkdir()).isTrue();
      try (Rig rig = new Rig(place, 1, backEnd.offer(), backEnd.profile())) {
        rig.driveAll();
        rig.net().start();
        assertWhole(rig, "before " + occasion);

        occasion.happens(rig);

        assertThat(rig.net().running()).as("%s", occasion).isTrue();
        assertWhole(rig, "after " + occasion);
        assertThat(rig.backEnd().record().disconnections()).as("%s", occasion).isZero();
        rig.noRuleWasBroken();
      }
    }
  }

  private static void assertWhole(Rig rig, String when) {
    DeviceConfig wanted = rig.net().desiredConfig(true);
    for (int i = 0; i < Rig.RINGS; i++) {
      RingConfig ring = wanted.rings().get(i);
      RingView held = rig.backEnd().ring(i).orElseThrow();
      assertThat(held.size()).as("size of ring %d %s", i, when).isEqualTo(ring.size());
      assertThat(held.enabled()).as("ring %d %s", i, when).isEqualTo(ring.enabled());
      assertThat(held.callTold()).as("call of ring %d %s", i, when).isTrue();
      assertThat(held.started() || !ring.enabled()).as("ring %d runs %s", i, when).isTrue();
    }
  }

  /** DPDK tells its application of each enable at once; one that sees a single ring may refuse. */
  @ParameterizedTest
  @MethodSource("backEnds")
  void sizeAndCallOfAllRingsComeBeforeTheFirstEnable(BackEnd backEnd) {
    try (Rig rig = new Rig(dir, 1, backEnd.offer(), backEnd.profile())) {
      rig.driveAll();
      for (int round = 0; round < 2; round++) {
        int mark = rig.backEnd().record().mark();
        rig.net().start();
        List<String> names = rig.backEnd().record().names(mark);
        int enable = names.indexOf("SET_VRING_ENABLE");
        List<String> before = enable < 0 ? names : names.subList(0, enable);
        assertThat(before).filteredOn("SET_VRING_CALL"::equals).hasSize(Rig.RINGS);
        assertThat(names).filteredOn("SET_VRING_CALL"::equals).hasSize(Rig.RINGS);
        assertThat(names.lastIndexOf("SET_VRING_NUM")).isLessThan(before.size());
        assertThat(rig.net().stop().complete()).isTrue();
      }
      rig.noRuleWasBroken();
    }
  }
}
