package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Receive modes, MAC table and VLAN filter of a live device. The device keeps them for the driver
 * and for migration. They are not sent to a vhost-user back end, which receives all traffic. A vDPA
 * device is told them by {@link ControlCommand}s.
 */
final class RxFilters {
  /** Entries of the MAC table, unicast and multicast together. */
  static final int TABLE_ENTRIES = 64;

  private final Set<ReceiveMode> modes = EnumSet.noneOf(ReceiveMode.class);
  private final List<MacAddress> table = new ArrayList<>();
  private final byte[] vlans = new byte[FilterState.VLAN_BYTES];
  private boolean multicastOverflow;
  private boolean unicastOverflow;

  RxFilters() {
    reset();
  }

  /**
   * Sets the filters of a new device: it receives everything, so that a driver without a control
   * queue works, too.
   */
  void reset() {
    modes.clear();
    modes.add(ReceiveMode.PROMISCUOUS);
    table.clear();
    multicastOverflow = false;
    unicastOverflow = false;
    passAllVlans(true);
  }

  /**
   * With a VLAN filter, a VLAN passes only after the driver has added it. Without one, all VLANs
   * pass.
   */
  void passAllVlans(boolean all) {
    Arrays.fill(vlans, (byte) (all ? 0xFF : 0));
  }

  void mode(ReceiveMode mode, boolean on) {
    if (on) {
      modes.add(mode);
    } else {
      modes.remove(mode);
    }
  }

  void vlan(int vlan, boolean pass) {
    int bit = 1 << (vlan & 7);
    int old = vlans[vlan >>> 3];
    vlans[vlan >>> 3] = (byte) (pass ? old | bit : old & ~bit);
  }

  /**
   * Replaces the table. A list that does not fit is dropped as a whole, and its overflow flag is
   * set.
   */
  void table(List<MacAddress> unicast, List<MacAddress> multicast) {
    table.clear();
    unicastOverflow = unicast.size() > TABLE_ENTRIES;
    if (!unicastOverflow) {
      table.addAll(unicast);
    }
    multicastOverflow = table.size() + multicast.size() > TABLE_ENTRIES;
    if (!multicastOverflow) {
      table.addAll(multicast);
    }
  }

  FilterState save() {
    return new FilterState(
        modes.contains(ReceiveMode.PROMISCUOUS),
        modes.contains(ReceiveMode.ALL_MULTICAST),
        table,
        Bytes.copyOf(vlans),
        multicastOverflow,
        unicastOverflow,
        modes.contains(ReceiveMode.ALL_UNICAST),
        modes.contains(ReceiveMode.NO_MULTICAST),
        modes.contains(ReceiveMode.NO_UNICAST),
        modes.contains(ReceiveMode.NO_BROADCAST));
  }

  static RxFilters of(FilterState saved) {
    RxFilters filters = new RxFilters();
    filters.mode(ReceiveMode.PROMISCUOUS, saved.promiscuous());
    filters.mode(ReceiveMode.ALL_MULTICAST, saved.allMulticast());
    filters.mode(ReceiveMode.ALL_UNICAST, saved.allUnicast());
    filters.mode(ReceiveMode.NO_MULTICAST, saved.noMulticast());
    filters.mode(ReceiveMode.NO_UNICAST, saved.noUnicast());
    filters.mode(ReceiveMode.NO_BROADCAST, saved.noBroadcast());
    filters.multicastOverflow = saved.multicastOverflow();
    filters.unicastOverflow = saved.unicastOverflow();
    // A larger table does not fit here. The filter is only a hint, so the device goes on without
    // it.
    if (saved.table().size() <= TABLE_ENTRIES) {
      filters.table.addAll(saved.table());
    }
    System.arraycopy(saved.vlans().toArray(), 0, filters.vlans, 0, filters.vlans.length);
    return filters;
  }
}
