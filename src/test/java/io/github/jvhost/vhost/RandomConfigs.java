package io.github.jvhost.vhost;

import io.github.jvhost.Bytes;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.EarlyConfiguration;
import io.github.jvhost.vhost.plan.LogTarget;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.RingConfig;
import io.github.jvhost.virtio.ControlState;
import io.github.jvhost.virtio.FilterState;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Test aid: what a guest, its VMM and a migration may want of one device, one after the other. Only
 * what can happen: early states come before the first start, and of a ring that runs the wish
 * carries the stale base that a device model has of it.
 */
final class RandomConfigs {
  private static final int MAX_PAIRS = 3;
  private static final NetFeature[] NEGOTIABLE = {
    NetFeature.MTU, NetFeature.MRG_RXBUF, NetFeature.GUEST_ANNOUNCE, NetFeature.MQ
  };

  private final Configs configs;
  private final SplittableRandom random;
  private final ModelledBackEnd backEnd;
  private DeviceConfig wanted;
  private boolean everRan;
  private boolean stopped;
  private int generation;

  RandomConfigs(Configs configs, SplittableRandom random, ModelledBackEnd backEnd) {
    this.configs = configs;
    this.random = random;
    this.backEnd = backEnd;
    this.wanted = fromScratch();
  }

  DeviceConfig next() {
    DeviceConfig next = nextButCommands();
    boolean told = backEnd.capabilities().commands() != 0;
    int pairs = Math.max(1, next.rings().size() / 2);
    return Configs.withControl(next, told ? control(random, next.features(), pairs) : null);
  }

  /** What a driver that has negotiated these features may have set. */
  static ControlState control(SplittableRandom random, long features, int pairs) {
    byte[] vlans = new byte[FilterState.VLAN_BYTES];
    vlans[random.nextInt(vlans.length)] = (byte) random.nextInt(4);
    var filters =
        new FilterState(
            random.nextBoolean(),
            random.nextBoolean(),
            random.nextBoolean() ? List.of() : List.of(new MacAddress(random.nextInt(2))),
            Bytes.copyOf(vlans),
            random.nextInt(4) == 0,
            random.nextInt(4) == 0,
            false,
            false,
            false,
            random.nextInt(4) == 0);
    long offloads =
        features & ToldCommands.OFFLOADS & (random.nextBoolean() ? -1 : random.nextLong());
    return new ControlState(
        new MacAddress(1 + random.nextInt(3)), filters, offloads, 1 + random.nextInt(pairs));
  }

  private DeviceConfig nextButCommands() {
    if (!everRan && random.nextInt(5) < 3) {
      change();
      return early();
    }
    if (everRan && !stopped && random.nextInt(4) == 0) {
      stopped = true;
      if (random.nextBoolean()) {
        wanted = fromScratch();
        return wanted.with(Lifecycle.RESET, List.of());
      }
      return Configs.stopped(wanted);
    }
    if (everRan && stopped && random.nextInt(3) == 0) {
      wanted = fromScratch(); // the driver was reset meanwhile
    } else {
      change();
    }
    everRan = true;
    stopped = false;
    wanted = withIndexes(wanted);
    return wanted;
  }

  private DeviceConfig early() {
    generation++;
    DeviceConfig from = Configs.withGeneration(wanted, generation);
    for (int i = 0; i < from.rings().size(); i++) {
      backEnd.usedInMemory(i, random.nextInt(0x10000)); // memory is not complete: anything
    }
    boolean explicit = backEnd.capabilities().hasPresetup() && random.nextInt(4) > 0;
    return EarlyConfiguration.of(
        explicit ? PresetupMode.EXPLICIT : PresetupMode.IMPLICIT, from, backEnd.capabilities());
  }

  private DeviceConfig fromScratch() {
    long features = backEnd.isModern() || random.nextInt(4) > 0 ? NetFeature.VERSION_1.mask() : 0;
    for (NetFeature feature : NEGOTIABLE) {
      features |= random.nextInt(4) > 0 ? feature.mask() : 0;
    }
    if (backEnd.capabilities().commands() != 0) {
      features |= random.nextLong() & (NetFeature.COMMANDS | ToldCommands.OFFLOADS);
    }
    if (random.nextInt(6) == 0) {
      features |= NetFeature.maskOf(NetFeature.RING_PACKED, NetFeature.VERSION_1);
    }
    int pairs = NetFeature.MQ.in(features) ? 1 + random.nextInt(MAX_PAIRS) : 1;
    List<RingConfig> rings = new ArrayList<>();
    int used = 1 + random.nextInt(pairs);
    for (int i = 0; i < 2 * pairs; i++) {
      boolean setUp = random.nextInt(i < 2 ? 12 : 6) > 0;
      rings.add(setUp ? Configs.enabled(ring(i, 0), i < 2 * used) : RingConfig.NOT_SET_UP);
    }
    return new DeviceConfig(
        Lifecycle.RUNNING,
        features | VhostFeature.PROTOCOL_FEATURES,
        random.nextBoolean() ? 1500 : null,
        random.nextBoolean() ? configs.low : configs.both,
        null,
        rings,
        0);
  }

  private RingConfig ring(int index, int base) {
    return new RingConfig(
        1 << random.nextInt(6, 10),
        place(index),
        base,
        base,
        configs.kick(index),
        configs.call(index, false),
        true,
        false);
  }

  private RingAddresses place(int index) {
    return Configs.place(index, random.nextInt(4) * 0x10000L);
  }

  private void change() {
    int changes = random.nextInt(4);
    for (int i = 0; i < changes; i++) {
      changeOne();
    }
  }

  private void changeOne() {
    int index = random.nextInt(wanted.rings().size());
    switch (random.nextInt(10)) {
      case 0 -> wanted = Configs.withMtu(wanted, 68 + random.nextInt(9000));
      case 1 ->
          wanted =
              Configs.withMemory(
                  wanted,
                  switch (random.nextInt(4)) {
                    case 0 -> configs.moved;
                    case 1 -> configs.both;
                    default -> configs.low;
                  });
      case 2 -> wanted = logged(random.nextBoolean() ? configs.log : configs.largerLog);
      case 3 -> wanted = Configs.withLog(wanted, null);
      case 4 -> changeRing(index, r -> Configs.enabled(r, !r.enabled()));
      case 5 ->
          changeRing(index, r -> Configs.calling(r, configs.call(index, random.nextBoolean())));
      case 6 -> changeRing(index, _ -> RingConfig.NOT_SET_UP);
      case 7 -> changeRing(index, r -> Configs.sized(r, 1 << random.nextInt(6, 10)));
      case 8 -> changeRing(index, r -> Configs.at(r, place(index)));
      default -> {
        if (wanted.rings().get(index).isSetUp()) {
          return;
        }
        RingConfig fresh = ring(index, 0);
        List<RingConfig> rings = new ArrayList<>(wanted.rings());
        rings.set(index, fresh);
        wanted = wanted.with(wanted.lifecycle(), rings);
        wanted = wanted.log() == null ? wanted : Configs.withLog(wanted, wanted.log());
      }
    }
  }

  private DeviceConfig logged(LogTarget log) {
    boolean logs = everRan && backEnd.capabilities().canLog();
    return logs ? Configs.withLog(wanted, log) : wanted;
  }

  private void changeRing(int index, UnaryOperator<RingConfig> change) {
    if (wanted.rings().get(index).isSetUp()) {
      wanted = Configs.withRing(wanted, index, change);
    }
  }

  /** Where each ring goes on, in guest memory and in the wish. */
  private DeviceConfig withIndexes(DeviceConfig config) {
    List<RingConfig> rings = new ArrayList<>();
    for (int i = 0; i < config.rings().size(); i++) {
      RingConfig ring = config.rings().get(i);
      rings.add(ring.isSetUp() ? withIndex(i, ring) : ring);
    }
    return config.with(Lifecycle.RUNNING, rings);
  }

  private RingConfig withIndex(int index, RingConfig ring) {
    if (backEnd.wouldGoOn(index, ring, wanted.features())) {
      return Configs.from(ring, random.nextInt(0x10000), backEnd.packed() ? null : 0);
    }
    if (NetFeature.RING_PACKED.in(wanted.features())) {
      backEnd.usedInMemory(index, random.nextInt(0x10000));
      return Configs.from(ring, random.nextInt(), null);
    }
    @Nullable Integer where = backEnd.stoppedAt(index);
    int base = where != null && random.nextBoolean() ? where & 0xffff : random.nextInt(0x10000);
    int inFlight = random.nextInt(3) == 0 ? random.nextInt(8) : 0;
    int used = (base - inFlight) & 0xffff;
    backEnd.usedInMemory(index, used);
    return Configs.from(ring, base, used);
  }
}
