package io.github.jvhost.virtio;

/**
 * What a network device receives beside its own address, in the order of the commands (virtio 1.2,
 * 5.1.6.5.1).
 */
public enum ReceiveMode {
  /** Everything. */
  PROMISCUOUS(0, NetFeature.CTRL_RX),

  /** All groups. */
  ALL_MULTICAST(1, NetFeature.CTRL_RX),

  /** All unicast addresses. */
  ALL_UNICAST(2, NetFeature.CTRL_RX_EXTRA),

  /** No group. */
  NO_MULTICAST(3, NetFeature.CTRL_RX_EXTRA),

  /** No unicast address. */
  NO_UNICAST(4, NetFeature.CTRL_RX_EXTRA),

  /** No broadcast. */
  NO_BROADCAST(5, NetFeature.CTRL_RX_EXTRA);

  private final int command;
  private final NetFeature feature;

  ReceiveMode(int command, NetFeature feature) {
    this.command = command;
    this.feature = feature;
  }

  /** {@return the number of its command, in the class VIRTIO_NET_CTRL_RX} */
  public int command() {
    return command;
  }

  /** {@return whether a device receives more with it than without} */
  boolean receivesMore() {
    return this == PROMISCUOUS || this == ALL_MULTICAST || this == ALL_UNICAST;
  }

  /** {@return the feature with which a driver may set it} */
  public NetFeature feature() {
    return feature;
  }
}
