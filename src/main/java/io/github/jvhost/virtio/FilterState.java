package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.util.List;

/**
 * The saved receive filters of a device. They are never sent to a vhost-user back end.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param promiscuous whether to receive everything
 * @param allMulticast whether to receive all groups
 * @param table unicast addresses, then groups, in the driver's order
 * @param vlans {@value #VLAN_BYTES} bytes; VLAN v is bit v%8 of byte v/8
 * @param multicastOverflow whether the driver wanted more groups than the table holds
 * @param unicastOverflow whether the driver wanted more unicast addresses than the table holds
 * @param allUnicast whether to receive all unicast addresses
 * @param noMulticast whether to receive no group
 * @param noUnicast whether to receive no unicast address
 * @param noBroadcast whether to receive no broadcast
 */
public record FilterState(
    boolean promiscuous,
    boolean allMulticast,
    List<MacAddress> table,
    Bytes vlans,
    boolean multicastOverflow,
    boolean unicastOverflow,
    boolean allUnicast,
    boolean noMulticast,
    boolean noUnicast,
    boolean noBroadcast) {
  /** How many VLANs there are. */
  static final int VLANS = 4096;

  /** Bytes of the VLAN filter. */
  public static final int VLAN_BYTES = VLANS / Byte.SIZE;

  /** Checks the sizes. */
  public FilterState {
    table = List.copyOf(table);
    if (vlans.size() != VLAN_BYTES) {
      throw new IllegalArgumentException("VLAN filter of " + vlans.size() + " bytes");
    }
  }

  /**
   * {@return whether the filter passes packets of a VLAN}
   *
   * @param vlan the VLAN's number, 0 to 4095
   */
  public boolean passesVlan(int vlan) {
    return (vlans.at(vlan >>> 3) >>> (vlan & 7) & 1) != 0;
  }
}
