package io.github.jvhost.testkit.trace;

import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.List;

/**
 * The names of the bits that GET_FEATURES answers and SET_FEATURES carries. Most of these bits are
 * virtio's; {@code LOG_ALL} and {@code PROTOCOL_FEATURES} are vhost's own.
 *
 * <p>Pure functions: thread-safe.
 */
public final class FeatureNames {
  /**
   * The first common bit. Bits 0 to 23 and from 50 on have another meaning for each kind of device
   * (virtio 1.2, 2.2).
   */
  private static final int FIRST_COMMON = 24;

  private static final int LAST_COMMON = 49;

  private FeatureNames() {}

  /**
   * {@return the names, the lowest bit first; a bit without a name is "bit 41"}
   *
   * @param features feature bits 0 to 63
   * @param net true for a network device; otherwise device-specific bits stay numbers
   */
  public static List<String> of(long features, boolean net) {
    List<String> names = new ArrayList<>();
    for (int bit = 0; bit < Long.SIZE; bit++) {
      if ((features >>> bit & 1) != 0) {
        names.add(name(bit, net));
      }
    }
    return names;
  }

  /**
   * {@return the names of a network device's features in one word, such as "MQ|VERSION_1"; "none"
   * when there are none}
   *
   * @param features feature bits 0 to 63
   */
  public static String describe(long features) {
    return features == 0 ? "none" : String.join("|", of(features, true));
  }

  private static String name(int bit, boolean net) {
    long mask = 1L << bit;
    if (mask == VhostFeature.LOG_ALL) {
      return "LOG_ALL";
    }
    if (mask == VhostFeature.PROTOCOL_FEATURES) {
      return "PROTOCOL_FEATURES";
    }
    boolean common = bit >= FIRST_COMMON && bit <= LAST_COMMON;
    return net || common ? NetFeature.describe(mask) : "bit " + bit;
  }
}
