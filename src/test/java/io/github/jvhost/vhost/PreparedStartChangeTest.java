package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.RingConfig;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.QueueState;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever changes after a start was prepared reaches the back end in the stop window. One value is
 * changed at a time. The start has to be what a device without a prepared start is sent.
 */
class PreparedStartChangeTest {
  @TempDir private Path dir;

  /**
   * What may change between the early and the final record. {@code values} names those of {@link
   * DeviceConfig} and {@link RingConfig} that differ then.
   */
  record Change(String name, Set<String> values, Consumer<Scene> change) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static List<Change> changes() {
    return List.of(
        new Change("indexes", Set.of("base", "usedIndex"), _ -> {}),
        new Change(
            "features",
            Set.of("features"),
            scene -> scene.driver(scene.guest.deviceFeatures() & ~NetFeature.MRG_RXBUF.mask())),
        new Change("mtu", Set.of("mtu"), scene -> scene.guest.mtu(1400)),
        new Change(
            "no mtu",
            Set.of("mtu"),
            scene -> scene.driver(scene.guest.deviceFeatures() & ~NetFeature.MTU.mask())),
        new Change(
            "pairs in use",
            Set.of("enabled"),
            scene -> scene.last = s -> s.withNet(s.net().withQueuePairs(Rig.PAIRS))),
        new Change(
            "one pair",
            Set.of("rings"),
            scene -> scene.driver(scene.guest.deviceFeatures() & ~NetFeature.MQ.mask())),
        new Change("size", Set.of("size"), scene -> scene.ring(1, q -> at(q, 128, 0, 0, 0))),
        new Change(
            "descriptors",
            Set.of("addresses"),
            scene -> scene.ring(1, q -> at(q, q.size(), 0x4000, 0, 0))),
        new Change(
            "available ring",
            Set.of("addresses"),
            scene -> scene.ring(1, q -> at(q, q.size(), 0, 0x4000, 0))),
        new Change(
            "used ring",
            Set.of("addresses"),
            scene -> scene.ring(1, q -> at(q, q.size(), 0, 0, 0x4000))),
        new Change(
            "no ring",
            Set.of("size", "addresses", "kick", "call"),
            scene -> scene.ring(3, q -> at(q, q.size(), -q.desc(), 0, 0))),
        new Change(
            "kick",
            Set.of("kick"),
            scene ->
                scene.eventfds(1, (now, other) -> new RingEventfds(other, now.call(), now.err()))),
        new Change(
            "call",
            Set.of("call"),
            scene ->
                scene.eventfds(1, (now, other) -> new RingEventfds(now.kick(), other, now.err()))),
        new Change(
            "err", Set.of("err"), scene -> scene.eventfds(1, (now, other) -> now.withErr(other))),
        new Change(
            "memory",
            Set.of("memory"),
            scene -> scene.rig.memory.addRegion("more", 1L << 40, 1 << 20)),
        new Change("log", Set.of("log", "logUsed"), Scene::logs),
        new Change("link down", Set.of(), scene -> scene.guest.linkUp(false)),
        new Change(
            "no driver", Set.of(), scene -> scene.guest.setStatus(DeviceStatus.ACKNOWLEDGE)));
  }

  private static QueueState at(QueueState ring, int size, long desc, long avail, long used) {
    return new QueueState(
        size,
        ring.desc() + desc,
        ring.avail() + avail,
        ring.used() + used,
        ring.ready(),
        ring.next());
  }

  interface OtherEventfd {
    RingEventfds in(RingEventfds now, EventFd other);
  }

  /** A guest at the source of a migration, and the device at the destination. */
  static final class Scene implements AutoCloseable {
    final Rig rig;

    /** The device at the source. */
    final VirtioNet guest;

    /** What makes the final record of the guest's state. */
    UnaryOperator<VirtioNetState> last = state -> state;

    private @Nullable DirtyLog log;

    Scene(Path dir) {
      BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
      rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC);
      rig.addBackEnd(Faults.none());
      rig.nets.add(rig.connect(0, Duration.ofSeconds(10)));
      guest = rig.net().model().twin();
      driver(guest.deviceFeatures());
    }

    /** The guest's driver sets the device up. */
    void driver(long features) {
      guest.setStatus(0);
      guest.setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
      guest.setDriverFeatures(features & ~NetFeature.RING_PACKED.mask());
      guest.setStatus(0xb);
      for (int ring = 0; ring < 2 * guest.backEndQueuePairs(); ring++) {
        Rig.setUp(guest, 0, ring);
      }
      guest.setStatus(0xf);
      assertThat(guest.live()).isTrue();
    }

    void ring(int ring, UnaryOperator<QueueState> change) {
      QueueState now = change.apply(guest.queue(ring));
      guest.configureQueue(ring, now.size(), now.desc(), now.avail(), now.used());
      assertThat(guest.broken()).isFalse();
    }

    void eventfds(int ring, OtherEventfd change) {
      List<RingEventfds> all = new ArrayList<>(rig.eventfds.getFirst());
      RingEventfds others = change.in(all.get(ring), EventFd.create(rig.ledger, "another eventfd"));
      RingEventfds before = rig.net().changeEventfds(ring, others);
      all.set(ring, others);
      rig.eventfds.set(0, all);
      if (!before.kick().equals(others.kick())) {
        before.kick().close();
      }
      if (!before.call().equals(others.call())) {
        before.call().close();
      }
    }

    void logs() {
      log = DirtyLog.create(rig.ledger, rig.memory.table());
      rig.net().migration().logTo(log);
    }

    /** What the device has to be sent for this state. */
    Map<String, Object> values(VirtioNetState state) {
      VirtioNet like = guest.twin();
      like.restore(state);
      var configuration =
          new NetConfiguration(
              "net0",
              new DeviceTranslations("net0", DeviceMemory.of(rig.memory)),
              new EventfdTable(rig.eventfds.getFirst()));
      return PreparedStartChangeTest.values(
          configuration.of(
              like, new NetConfiguration.Setting(rig.net().capabilities(), log, null, 0, true)));
    }

    /** The rings have moved on, as they always have. */
    VirtioNetState stopped() {
      for (int ring = 0; ring < Rig.RINGS && guest.live(); ring++) {
        if (ring < 2 * guest.backEndQueuePairs() && guest.isSetUp(ring)) {
          guest.setNextIndex(ring, RingIndex.split(10 + ring));
          moved(ring);
        }
      }
      return last.apply(guest.snapshot());
    }

    private void moved(int ring) {
      rig.memory.putShort(guest.availableRing(ring) + 2, (short) (10 + ring));
      rig.memory.putShort(guest.usedRing(ring) + 2, (short) (10 + ring));
    }

    @Override
    public void close() {
      rig.net().migration().dropLog();
      rig.net().close();
      if (log != null) {
        log.close();
      }
      rig.close();
    }
  }

  /** By name. A value that is added to one of the records has to be named here. */
  private static Map<String, Object> values(DeviceConfig config) {
    Map<String, Object> values = new HashMap<>();
    switch (config) {
      case DeviceConfig(
              var lifecycle,
              var features,
              var mtu,
              var memory,
              var log,
              var rings,
              var inflight,
              var translations,
              var ringOrder,
              var mac,
              var generation) -> {
        values.put("lifecycle", lifecycle);
        values.put("features", features);
        values.put("mtu", String.valueOf(mtu));
        values.put("memory", memory);
        values.put("log", String.valueOf(log));
        values.put("rings", rings.size());
        values.put("inflight", String.valueOf(inflight));
        values.put("translations", String.valueOf(translations));
        values.put("ringOrder", String.valueOf(ringOrder));
        values.put("mac", String.valueOf(mac));
        values.put("generation", generation);
        for (int i = 0; i < rings.size(); i++) {
          put(values, rings.get(i));
        }
      }
    }
    return values;
  }

  /** One after the other for all rings. */
  private static void put(Map<String, Object> values, RingConfig config) {
    switch (config) {
      case RingConfig(
              var size,
              var addresses,
              var base,
              var usedIndex,
              var kick,
              var call,
              var err,
              var enabled,
              var logUsed) -> {
        append(values, "size", size);
        append(values, "addresses", addresses);
        append(values, "base", base);
        append(values, "usedIndex", usedIndex);
        append(values, "kick", kick);
        append(values, "call", call);
        append(values, "err", err);
        append(values, "enabled", enabled);
        append(values, "logUsed", logUsed);
      }
    }
  }

  private static void append(Map<String, Object> values, String name, @Nullable Object value) {
    List<Object> all = new ArrayList<>();
    if (values.get(name) instanceof List<?> before) {
      all.addAll(before);
    }
    all.add(String.valueOf(value));
    values.put(name, all);
  }

  /** A new value that no change changes is not tested here. */
  @Test
  void eachValueIsChangedByOneOfThem() throws Exception {
    Set<String> changed = new HashSet<>();
    Set<String> all = new HashSet<>();
    for (Change change : changes()) {
      Path own = Files.createDirectory(dir.resolve(change.name()));
      try (Scene scene = new Scene(own)) {
        Map<String, Object> before = scene.values(scene.guest.snapshot());
        change.change().accept(scene);
        VirtioNetState last = scene.stopped();
        Map<String, Object> after = scene.values(last);
        Set<String> differ = new HashSet<>(after.keySet());
        differ.removeIf(name -> Objects.equals(before.get(name), after.get(name)));
        assertThat(differ).as("%s", change).containsAll(change.values());
        changed.addAll(change.values());
        all.addAll(after.keySet());
      }
    }
    all.removeAll(changed);
    assertThat(all)
        .as(
            "the first two are the same for all running devices; a plan makes the third, after"
                + " which the shadow is another one; the next changes with the features alone; one"
                + " is of devices behind an IOMMU, and the last of vDPA devices")
        .containsExactlyInAnyOrder(
            "lifecycle", "generation", "inflight", "ringOrder", "translations", "mac");
  }

  @ParameterizedTest
  @MethodSource("changes")
  void aChangeAfterThePreparationReachesTheBackEnd(Change change) throws Exception {
    List<List<String>> both = new ArrayList<>();
    for (boolean prepared : new boolean[] {false, true}) {
      Path own = Files.createDirectory(dir.resolve(prepared ? "prepared" : "planned"));
      try (Scene scene = new Scene(own)) {
        Rig rig = scene.rig;
        VirtioNetState early = scene.guest.snapshot();
        rig.backEnd().guestMemoryComplete(false);
        assertThat(
                VhostNetGroup.presetupUnrehearsed(
                    PresetupMode.IMPLICIT,
                    List.of(new VhostNetGroup.EarlyState(rig.net(), early, 1)),
                    () -> false))
            .allMatch(PresetupResult::done);
        rig.backEnd().guestMemoryComplete(true);
        if (prepared) {
          assertThat(rig.net().migration().prepareStart(early)).isTrue();
        }
        change.change().accept(scene);
        rig.net().restore(scene.stopped());
        int mark = rig.backEnd().record().mark();

        StartResult result = VhostNetGroup.start(rig.nets, StartOrder.PLANNED).getFirst();

        assertThat(result.fallback()).isNull();
        List<String> sent = new ArrayList<>(rig.names(0, mark, result.messages()));
        sent.add(result.plan().describe());
        sent.add("%s steps".formatted(result.outcome().stepsTaken()));
        both.add(sent);
        rig.noRuleWasBroken();
      }
    }
    assertThat(both.get(1)).isEqualTo(both.get(0));
  }
}
