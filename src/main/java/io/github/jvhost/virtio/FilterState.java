package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.util.List;

/**
 * What a device is to receive, saved. A vhost-user back end never learns of it.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param promiscuous everything
 * @param allMulticast every group
 * @param table single addresses, then groups, in the driver's order
 * @param vlans {@value #VLAN_BYTES} bytes; VLAN v is bit v%8 of byte v/8
 * @param multicastOverflow the driver wanted more groups than the table holds
 * @param unicastOverflow the driver wanted more single addresses than the table holds
 * @param allUnicast every single address
 * @param noMulticast no group
 * @param noUnicast no single address
 * @param noBroadcast no broadcast
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
  /** Bytes of the VLAN filter. */
  public static final int VLAN_BYTES = 512;

  /** Checks the sizes. */
  public FilterState {
    table = List.copyOf(table);
    if (vlans.size() != VLAN_BYTES) {
      throw new IllegalArgumentException("VLAN filter of " + vlans.size() + " bytes");
    }
  }

  /**
   * {@return whether packets of a VLAN are let through}
   *
   * @param vlan the VLAN's number, 0 to 4095
   */
  public boolean passesVlan(int vlan) {
    return (vlans.at(vlan >>> 3) >>> (vlan & 7) & 1) != 0;
  }
}
