package io.github.jvhost.virtio;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
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
   * @param held what it was told before; null: not known, so it is told all. A VLAN that it may
   *     receive besides is not taken from it: a reset has done that
   * @param features those with whose commands it can be told
   */
  public List<ControlCommand> commandsFrom(@Nullable ControlState held, long features) {
    List<ControlCommand> commands = new ArrayList<>();
    addModes(held, features, true, commands);
    if (NetFeature.CTRL_MAC_ADDR.in(features) && (held == null || !mac.equals(held.mac))) {
      commands.add(new ControlCommand.Mac(mac));
    }
    List<MacAddress> table = filters.table();
    if (NetFeature.CTRL_RX.in(features) && (held == null || !table.equals(held.filters.table()))) {
      commands.add(new ControlCommand.MacTable(table));
    }
    if (NetFeature.CTRL_VLAN.in(features)
        && (held == null || !filters.vlans().equals(held.filters.vlans()))) {
      addVlans(held, commands);
    }
    addModes(held, features, false, commands);
    if (NetFeature.MQ.in(features) && (held == null || queuePairs != held.queuePairs)) {
      commands.add(new ControlCommand.QueuePairs(queuePairs));
    }
    if (NetFeature.CTRL_GUEST_OFFLOADS.in(features)
        && (held == null || offloads != held.offloads)) {
      commands.add(new ControlCommand.Offloads(offloads));
    }
    return commands;
  }

  /** Modes by which more is received are told before the table, others behind it. */
  private void addModes(
      @Nullable ControlState held, long features, boolean more, List<ControlCommand> commands) {
    for (ReceiveMode mode : ReceiveMode.values()) {
      boolean on = receives(mode);
      if (mode.feature().in(features)
          && (on == mode.receivesMore()) == more
          && (held == null || on != held.receives(mode))) {
        commands.add(new ControlCommand.Receive(mode, on));
      }
    }
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
   * {@return what a new device has, as far as it matters for one that is to be taken to this state}
   * virtio does not say whether a new device receives everything, and devices differ. So the result
   * differs from this state there, and the device is told.
   *
   * @param own the address that the device has; empty: none
   * @param negotiated with the device
   */
  public ControlState ofNewDevice(Optional<MacAddress> own, long negotiated) {
    var none = new RxFilters();
    none.mode(ReceiveMode.PROMISCUOUS, !receives(ReceiveMode.PROMISCUOUS));
    none.passAllVlans(false);
    return new ControlState(
        own.orElse(MacAddress.ZERO), none.save(), negotiated & NetFeature.GUEST_OFFLOADS, 1);
  }

  /**
   * {@return what a device holds that held this and has taken a command}
   *
   * @param command that it has taken
   */
  public ControlState after(ControlCommand command) {
    return switch (command) {
      case ControlCommand.Mac(MacAddress address) ->
          new ControlState(address, filters, offloads, queuePairs);
      case ControlCommand.QueuePairs(int pairs) -> new ControlState(mac, filters, offloads, pairs);
      case ControlCommand.Offloads(long others) ->
          new ControlState(mac, filters, others, queuePairs);
      case ControlCommand.Receive(ReceiveMode mode, boolean on) -> with(now -> now.mode(mode, on));
      case ControlCommand.Vlan(int id, boolean received) -> with(now -> now.vlan(id, received));
      case ControlCommand.MacTable(List<MacAddress> addresses) ->
          with(now -> table(now, addresses));
    };
  }

  /** A change of the filters that a device has. It knows nothing of an overflow, but of modes. */
  private ControlState with(Consumer<RxFilters> change) {
    RxFilters told = RxFilters.of(filters);
    table(told, filters.table()); // takes the marks of an overflow away
    for (ReceiveMode mode : ReceiveMode.values()) {
      told.mode(mode, receives(mode));
    }
    change.accept(told);
    return new ControlState(mac, told.save(), offloads, queuePairs);
  }

  private static void table(RxFilters of, List<MacAddress> addresses) {
    of.table(
        addresses.stream().filter(one -> !one.multicast()).toList(),
        addresses.stream().filter(MacAddress::multicast).toList());
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
