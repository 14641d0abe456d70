package io.github.jvhost.protocol;

/**
 * The bits of GET_PROTOCOL_FEATURES, by their upstream names. PRESETUP is not one of them: its bit
 * differs between back ends, so it is in a {@link Dialect}.
 */
public enum ProtocolFeature {
  /** Several queue pairs; GET_QUEUE_NUM. */
  MQ(0),
  /** A descriptor is attached to SET_LOG_BASE, which is always answered. */
  LOG_SHMFD(1),
  /** SEND_RARP. */
  RARP(2),
  /** The NEED_REPLY flag. */
  REPLY_ACK(3),
  /** NET_SET_MTU. */
  MTU(4),
  /** A channel for the back end's own requests. */
  BACKEND_REQ(5),
  /** SET_VRING_ENDIAN. */
  CROSS_ENDIAN(6),
  /** Crypto sessions. */
  CRYPTO_SESSION(7),
  /** Postcopy. */
  PAGEFAULT(8),
  /** GET_CONFIG and SET_CONFIG. */
  CONFIG(9),
  /** Descriptors on the back end's channel. */
  BACKEND_SEND_FD(10),
  /** Doorbell pages. */
  HOST_NOTIFIER(11),
  /** The in-flight region. */
  INFLIGHT_SHMFD(12),
  /** RESET_DEVICE. */
  RESET_DEVICE(13),
  /** Kicks and calls as messages; only with BACKEND_REQ and REPLY_ACK. */
  INBAND_NOTIFICATIONS(14),
  /** Memory regions one by one. */
  CONFIGURE_MEM_SLOTS(15),
  /** The virtio status byte. */
  STATUS(16),
  /** Memory regions of 40 bytes. */
  XEN_MMAP(17),
  /** Objects by UUID. */
  SHARED_OBJECT(18),
  /** The back end's own state can be transferred. */
  DEVICE_STATE(19),
  /** Has no meaning of its own any more. GET_VRING_BASE_SKIP_DRAIN needs it. */
  GET_VRING_BASE_INFLIGHT(20),
  /** Ring addresses are guest-physical. */
  GPA_ADDRESSES(21),
  /** Shared memory regions. */
  SHMEM(22),
  /**
   * A ring can be stopped without draining it; only with INFLIGHT_SHMFD and
   * GET_VRING_BASE_INFLIGHT.
   */
  GET_VRING_BASE_SKIP_DRAIN(23);

  private final int bit;

  ProtocolFeature(int bit) {
    this.bit = bit;
  }

  /** {@return the bit's number, 0 to 63} */
  public int bit() {
    return bit;
  }

  /** {@return the bit as a mask} */
  public long mask() {
    return 1L << bit;
  }

  /**
   * {@return whether this feature's bit is set}
   *
   * @param bits offered or acknowledged protocol features
   */
  public boolean isIn(long bits) {
    return (bits & mask()) != 0;
  }

  /**
   * {@return a mask with the bits of some features}
   *
   * @param features the features; none gives 0
   */
  public static long maskOf(ProtocolFeature... features) {
    long mask = 0;
    for (ProtocolFeature feature : features) {
      mask |= feature.mask();
    }
    return mask;
  }

  /**
   * {@return the bits by name, "MQ|REPLY_ACK|bit 40", or "none"}
   *
   * @param bits any bits; a bit without a name is shown by its number
   */
  public static String describe(long bits) {
    StringBuilder text = new StringBuilder();
    for (int bit = 0; bit < Long.SIZE; bit++) {
      if ((bits & (1L << bit)) != 0) {
        text.append(text.isEmpty() ? "" : "|").append(nameOf(bit));
      }
    }
    return text.isEmpty() ? "none" : text.toString();
  }

  private static String nameOf(int bit) {
    for (ProtocolFeature feature : values()) {
      if (feature.bit == bit) {
        return feature.name();
      }
    }
    return "bit " + bit;
  }
}
