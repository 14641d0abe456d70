package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Receive modes, MAC table and VLAN filter of a live device. The device keeps them for the driver
 * and for migration. They are not sent to a vhost-user back end, which receives all traffic.
 */
final class RxFilters {
  /** Entries of the MAC table, unicast and multicast together. */
  static final int TABLE_ENTRIES = 64;

  /** Receive modes in the order of their commands (virtio 1.2, 5.1.6.5.1). */
  enum Mode {
    PROMISCUOUS,
    ALL_MULTICAST,
    ALL_UNICAST,
    NO_MULTICAST,
    NO_UNICAST,
    NO_BROADCAST
  }

  private final Set<Mode> modes = EnumSet.noneOf(Mode.class);
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
    modes.add(Mode.PROMISCUOUS);
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

  void mode(Mode mode, boolean on) {
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
        modes.contains(Mode.PROMISCUOUS),
        modes.contains(Mode.ALL_MULTICAST),
        table,
        Bytes.copyOf(vlans),
        multicastOverflow,
        unicastOverflow,
        modes.contains(Mode.ALL_UNICAST),
        modes.contains(Mode.NO_MULTICAST),
        modes.contains(Mode.NO_UNICAST),
        modes.contains(Mode.NO_BROADCAST));
  }

  static RxFilters of(FilterState saved) {
    RxFilters filters = new RxFilters();
    filters.mode(Mode.PROMISCUOUS, saved.promiscuous());
    filters.mode(Mode.ALL_MULTICAST, saved.allMulticast());
    filters.mode(Mode.ALL_UNICAST, saved.allUnicast());
    filters.mode(Mode.NO_MULTICAST, saved.noMulticast());
    filters.mode(Mode.NO_UNICAST, saved.noUnicast());
    filters.mode(Mode.NO_BROADCAST, saved.noBroadcast());
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
