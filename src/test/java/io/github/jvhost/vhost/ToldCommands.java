package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.ControlState;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.ReceiveMode;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeSet;

/**
 * Test aid: what a device holds of the commands that it was given. It refuses a command of a
 * feature that was not negotiated. What virtio does not say of a reset is left to chance.
 */
final class ToldCommands {
  static final long OFFLOADS = NetFeature.maskOf(NetFeature.GUEST_CSUM, NetFeature.GUEST_TSO4);

  private final SplittableRandom random;
  private final Optional<MacAddress> own;
  private final Map<ReceiveMode, Boolean> modes = new EnumMap<>(ReceiveMode.class);
  private final TreeSet<Integer> vlans = new TreeSet<>();
  private MacAddress mac;
  private List<MacAddress> table = List.of();
  private int pairs = 1;
  private long features;
  private long offloads;

  ToldCommands(SplittableRandom random, Optional<MacAddress> own) {
    this.random = random;
    this.own = own;
    this.mac = own.orElse(MacAddress.ZERO);
    reset();
  }

  /** Whether it forgets its address, and what it receives then, differs from device to device. */
  void reset() {
    mac = random.nextBoolean() ? mac : own.orElse(MacAddress.ZERO);
    modes.clear();
    modes.put(ReceiveMode.PROMISCUOUS, random.nextBoolean());
    vlans.clear();
    table = List.of();
    pairs = 1;
  }

  void negotiated(long now) {
    features = now;
    offloads = now & OFFLOADS;
  }

  void take(ControlCommand command, String plan) {
    NetFeature needed =
        switch (command) {
          case ControlCommand.Mac(MacAddress address) -> {
            mac = address;
            yield NetFeature.VERSION_1; // the carrier negotiates the feature by itself
          }
          case ControlCommand.Receive(ReceiveMode mode, boolean on) -> {
            modes.put(mode, on);
            yield mode.feature();
          }
          case ControlCommand.MacTable(List<MacAddress> addresses) -> {
            table = addresses;
            yield NetFeature.CTRL_RX;
          }
          case ControlCommand.Vlan(int id, boolean received) -> {
            assertThat(received ? vlans.add(id) : vlans.remove(id)).as(plan).isTrue();
            yield NetFeature.CTRL_VLAN;
          }
          case ControlCommand.QueuePairs(int number) -> {
            pairs = number;
            yield NetFeature.MQ;
          }
          case ControlCommand.Offloads(long taken) -> {
            offloads = taken;
            yield NetFeature.CTRL_GUEST_OFFLOADS;
          }
        };
    assertThat(needed == NetFeature.VERSION_1 || needed.in(features))
        .as("%s was not negotiated\n%s", needed, plan)
        .isTrue();
  }

  void check(ControlState wanted, long commands, String story) {
    long told = features & commands;
    if (NetFeature.CTRL_MAC_ADDR.in(commands)) {
      assertThat(mac).as(story).isEqualTo(wanted.mac());
    }
    if (NetFeature.CTRL_RX.in(told)) {
      assertThat(modes.get(ReceiveMode.PROMISCUOUS))
          .as(story)
          .isEqualTo(wanted.filters().promiscuous() || wanted.filters().unicastOverflow());
      assertThat(modes.getOrDefault(ReceiveMode.ALL_MULTICAST, false))
          .as(story)
          .isEqualTo(wanted.filters().allMulticast() || wanted.filters().multicastOverflow());
      assertThat(table).as(story).isEqualTo(wanted.filters().table());
    }
    if (NetFeature.CTRL_RX_EXTRA.in(told)) {
      assertThat(modes.getOrDefault(ReceiveMode.NO_BROADCAST, false))
          .as(story)
          .isEqualTo(wanted.filters().noBroadcast());
    }
    for (int id = 0; NetFeature.CTRL_VLAN.in(told) && id < 4096; id++) {
      assertThat(vlans.contains(id)).as(story).isEqualTo(wanted.filters().passesVlan(id));
    }
    if (NetFeature.MQ.in(told)) {
      assertThat(pairs).as(story).isEqualTo(wanted.queuePairs());
    }
    if (NetFeature.CTRL_GUEST_OFFLOADS.in(told)) {
      assertThat(offloads).as(story).isEqualTo(wanted.offloads());
    }
  }
}
