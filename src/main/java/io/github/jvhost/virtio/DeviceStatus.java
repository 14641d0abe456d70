package io.github.jvhost.virtio;

import java.util.StringJoiner;

/**
 * The bits of the device status register (virtio 1.2, 2.1). Thread-safe, because it has no state.
 */
public final class DeviceStatus {
  /** The guest has noticed the device. */
  public static final int ACKNOWLEDGE = 0x01;

  /** The guest knows how to drive it. */
  public static final int DRIVER = 0x02;

  /** The driver is set up: the device is live. */
  public static final int DRIVER_OK = 0x04;

  /** The driver has acknowledged its features, and the device accepts them. */
  public static final int FEATURES_OK = 0x08;

  /** The device has an error from which it cannot recover. The driver has to reset it. */
  public static final int NEEDS_RESET = 0x40;

  /** The guest has given the device up. */
  public static final int FAILED = 0x80;

  /** Exactly the bits of a device that is live. */
  public static final int RUNNING = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;

  private DeviceStatus() {}

  /**
   * {@return the bits by name: {@code ACKNOWLEDGE|DRIVER}; {@code 0} when there are none}
   *
   * @param status the register's value; bits without a name are shown as one hexadecimal number
   */
  public static String describe(int status) {
    if (status == 0) {
      return "0";
    }
    StringJoiner names = new StringJoiner("|");
    name(names, status, ACKNOWLEDGE, "ACKNOWLEDGE");
    name(names, status, DRIVER, "DRIVER");
    name(names, status, FEATURES_OK, "FEATURES_OK");
    name(names, status, DRIVER_OK, "DRIVER_OK");
    name(names, status, NEEDS_RESET, "NEEDS_RESET");
    name(names, status, FAILED, "FAILED");
    int rest = status & ~(ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK | NEEDS_RESET | FAILED);
    if (rest != 0) {
      names.add("0x" + Integer.toHexString(rest));
    }
    return names.toString();
  }

  private static void name(StringJoiner names, int status, int bit, String name) {
    if ((status & bit) != 0) {
      names.add(name);
    }
  }
}
