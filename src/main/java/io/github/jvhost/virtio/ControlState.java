package io.github.jvhost.virtio;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What a driver has set by commands on the control queue. A device that works by itself has to be
 * told.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param mac the device's address
 * @param filters what it receives
 * @param offloads the feature bits of the receive offloads that the driver takes
 * @param queuePairs in use
 */
public record ControlState(MacAddress mac, FilterState filters, long offloads, int queuePairs) {

  /**
   * {@return the commands that take a device to this state, in order}
   *
   * @param held what it was told before; null: not known, so it is told all
   * @param features those with whose commands it can be told
   */
  public List<ControlCommand> commandsFrom(@Nullable ControlState held, long features) {
    List<ControlCommand> commands = new ArrayList<>();
    if (NetFeature.CTRL_MAC_ADDR.in(features) && (held == null || !mac.equals(held.mac))) {
      commands.add(new ControlCommand.Mac(mac));
    }
    for (ReceiveMode mode : ReceiveMode.values()) {
      boolean on = receives(mode);
      if (mode.feature().in(features) && (held == null || on != held.receives(mode))) {
        commands.add(new ControlCommand.Receive(mode, on));
      }
    }
    List<MacAddress> table = filters.table();
    if (NetFeature.CTRL_RX.in(features) && (held == null || !table.equals(held.filters.table()))) {
      commands.add(new ControlCommand.MacTable(table));
    }
    if (NetFeature.CTRL_VLAN.in(features)
        && (held == null || !filters.vlans().equals(held.filters.vlans()))) {
      addVlans(held, commands);
    }
    if (NetFeature.MQ.in(features) && (held == null || queuePairs != held.queuePairs)) {
      commands.add(new ControlCommand.QueuePairs(queuePairs));
    }
    if (NetFeature.CTRL_GUEST_OFFLOADS.in(features)
        && (held == null || offloads != held.offloads)) {
      commands.add(new ControlCommand.Offloads(offloads));
    }
    return commands;
  }

  private void addVlans(@Nullable ControlState held, List<ControlCommand> commands) {
    for (int id = 0; id < FilterState.VLANS; id++) {
      boolean received = filters.passesVlan(id);
      if (received != (held != null && held.filters.passesVlan(id))) {
        commands.add(new ControlCommand.Vlan(id, received));
      }
    }
  }

  /**
   * {@return the commands that take a new device to this state, in order} virtio does not say
   * whether a new device receives everything, and devices differ. So it is always told.
   *
   * @param own the address that it has; empty: none
   * @param negotiated with the device
   * @param features those with whose commands it can be told
   */
  public List<ControlCommand> commandsToNew(
      Optional<MacAddress> own, long negotiated, long features) {
    boolean everything = receives(ReceiveMode.PROMISCUOUS);
    var none = new RxFilters();
    none.mode(ReceiveMode.PROMISCUOUS, !everything);
    none.passAllVlans(false);
    long offloadsNegotiated = negotiated & NetFeature.GUEST_OFFLOADS;
    MacAddress before = own.orElse(MacAddress.ZERO);
    return commandsFrom(new ControlState(before, none.save(), offloadsNegotiated, 1), features);
  }

  /** A device whose table is too small for the driver's list receives more than it has to. */
  private boolean receives(ReceiveMode mode) {
    return switch (mode) {
      case PROMISCUOUS -> filters.promiscuous() || filters.unicastOverflow();
      case ALL_MULTICAST -> filters.allMulticast() || filters.multicastOverflow();
      case ALL_UNICAST -> filters.allUnicast();
      case NO_MULTICAST -> filters.noMulticast();
      case NO_UNICAST -> filters.noUnicast();
      case NO_BROADCAST -> filters.noBroadcast();
    };
  }
}
