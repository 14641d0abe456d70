package io.github.jvhost.virtio;

import java.util.List;

/**
 * A saved state that was checked against a device and made ready for it: {@link
 * VirtioNet#restore(Restoration)} only puts it in place, and allocates nothing. Where the device
 * goes on in its rings can still be changed, since a guest that ran on has moved that and nothing
 * else.
 *
 * <p>Made by {@link VirtioNet#prepareRestore}, for that device, and good for one use: until the
 * device changes.
 */
public final class Restoration {
  private final VirtioNet device;
  private final CommonState common;
  private final TransportState transport;
  private final NetState net;
  private final RxFilters filters;
  private final List<Ring> rings;
  private final long changes;
  private final boolean showsOtherwise;

  Restoration(VirtioNet device, VirtioNetState state, boolean showsOtherwise) {
    boolean packed = NetFeature.RING_PACKED.in(state.common().features());
    boolean modern = NetFeature.VERSION_1.in(state.common().features());
    this.device = device;
    this.common = state.common();
    this.transport = state.transport();
    this.net = state.net();
    this.filters = RxFilters.of(state.net().filters());
    this.rings = Rings.of(state, packed, modern);
    this.changes = device.changes();
    this.showsOtherwise = showsOtherwise;
  }

  /** Whether the driver of a live device reads another config space than it has read last. */
  boolean showsOtherwise() {
    return showsOtherwise;
  }

  /** {@return whether the device is as it was when this was made, so that it can still be used} */
  public boolean isCurrent() {
    return device.changes() == changes;
  }

  /**
   * Where the device goes on in a ring.
   *
   * @param ring index, of the rings that the saved device has
   * @param base in the encoding of SET_VRING_BASE, see {@link RingIndex#toVhostBase}
   */
  public void base(int ring, int base) {
    rings.get(ring).base(base);
  }

  void into(VirtioNet target, CommonPart commonPart, NetPart netPart, Rings ringsPart) {
    if (target != device || !isCurrent()) {
      throw new IllegalStateException(
          "device "
              + target.name()
              + ": a state that was made ready for another device, or before this one changed");
    }
    commonPart.restore(common, transport);
    netPart.restore(common, commonPart.order(), net, filters);
    ringsPart.restore(rings);
  }
}
