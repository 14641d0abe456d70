package io.github.jvhost.vmstate;

import static io.github.jvhost.vmstate.View.FLAG;
import static io.github.jvhost.vmstate.View.LIST;
import static io.github.jvhost.vmstate.Wire.BOOL;
import static io.github.jvhost.vmstate.Wire.BYTES;
import static io.github.jvhost.vmstate.Wire.MACS;
import static io.github.jvhost.vmstate.Wire.U32;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.FilterState;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.ArrayList;
import java.util.List;

/** The rows of {@link FilterState}. They are a part of {@link NetRows}. */
final class FilterRows {
  static final Row<VirtioNetState, Boolean> PROMISCUOUS =
      flag("promisc", FilterState::promiscuous, "promiscuous");
  static final Row<VirtioNetState, Boolean> ALL_MULTICAST =
      flag("allmulti", FilterState::allMulticast, "all multicast");
  static final Row<VirtioNetState, Integer> TABLE_SIZE =
      row("mac_table.in_use", U32, f -> f.table().size());
  static final Row<VirtioNetState, List<MacAddress>> TABLE =
      row("mac_table.macs", MACS, FilterState::table)
          .times("6 x in_use", d -> MacAddress.SIZE * Integer.toUnsignedLong(d.get(TABLE_SIZE)))
          .shown("addresses", LIST);
  static final Row<VirtioNetState, Bytes> VLANS =
      row("vlans", BYTES, FilterState::vlans)
          .times(FilterState.VLAN_BYTES)
          .shown("vlans", FilterRows::ranges);
  static final Row<VirtioNetState, Boolean> MULTICAST_OVERFLOW =
      flag("mac_table.multi_overflow", FilterState::multicastOverflow, "multicast overflow");
  static final Row<VirtioNetState, Boolean> UNICAST_OVERFLOW =
      flag("mac_table.uni_overflow", FilterState::unicastOverflow, "unicast overflow");
  static final Row<VirtioNetState, Boolean> ALL_UNICAST =
      flag("alluni", FilterState::allUnicast, "all unicast");
  static final Row<VirtioNetState, Boolean> NO_MULTICAST =
      flag("nomulti", FilterState::noMulticast, "no multicast");
  static final Row<VirtioNetState, Boolean> NO_UNICAST =
      flag("nouni", FilterState::noUnicast, "no unicast");
  static final Row<VirtioNetState, Boolean> NO_BROADCAST =
      flag("nobcast", FilterState::noBroadcast, "no broadcast");

  private FilterRows() {}

  /** The filters that were read. */
  static FilterState build(Draft<VirtioNetState> d) {
    return new FilterState(
        d.get(PROMISCUOUS),
        d.get(ALL_MULTICAST),
        d.get(TABLE),
        d.get(VLANS),
        d.get(MULTICAST_OVERFLOW),
        d.get(UNICAST_OVERFLOW),
        d.get(ALL_UNICAST),
        d.get(NO_MULTICAST),
        d.get(NO_UNICAST),
        d.get(NO_BROADCAST));
  }

  private static <T> Row<VirtioNetState, T> row(
      String name, Wire<T> wire, Row.Get<FilterState, T> get) {
    return Row.of(View.Group.FILTERS, name, wire, s -> get.from(s.net().filters()));
  }

  private static Row<VirtioNetState, Boolean> flag(
      String name, Row.Get<FilterState, Boolean> get, String words) {
    return row(name, BOOL, get).shown(words, FLAG);
  }

  /** Ranges: "0", "100-199". */
  private static SavedField.Value ranges(Bytes vlans) {
    List<String> ranges = new ArrayList<>();
    int end = FilterState.VLAN_BYTES * Byte.SIZE;
    for (int vlan = 0; vlan < end; vlan++) {
      int from = vlan;
      while (vlan < end && (vlans.at(vlan >>> 3) >>> (vlan & 7) & 1) != 0) {
        vlan++;
      }
      if (vlan > from) {
        ranges.add(vlan - 1 == from ? "" + from : from + "-" + (vlan - 1));
      }
    }
    return new SavedField.Names(ranges);
  }
}
