package io.github.jvhost.virtio;

import java.util.Objects;

/**
 * The speed and duplex that a device with SPEED_DUPLEX shows to its driver (virtio 1.2, 5.1.4). It
 * is information for people and tools in the guest. It does not change the real speed and is sent
 * to no back end.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param megabits per second, 0 to 2147483647, or {@link #UNKNOWN_SPEED}
 * @param duplex whether both sides may send at the same time
 */
public record LinkSpeed(int megabits, Duplex duplex) {
  /** The speed is unknown. */
  public static final int UNKNOWN_SPEED = -1;

  /** Speed and duplex are unknown. */
  public static final LinkSpeed UNKNOWN = new LinkSpeed(UNKNOWN_SPEED, Duplex.UNKNOWN);

  /** Whether both sides may send at the same time. */
  public enum Duplex {
    /** One side at a time. */
    HALF(0),
    /** Both sides. */
    FULL(1),
    /** Unknown. */
    UNKNOWN(0xFF);

    private final int number;

    Duplex(int number) {
      this.number = number;
    }

    /** {@return its number in the config space, 8 bits} */
    public int number() {
      return number;
    }
  }

  /** Checks the range. */
  public LinkSpeed {
    Objects.requireNonNull(duplex, "duplex");
    if (megabits < UNKNOWN_SPEED) {
      throw new IllegalArgumentException("a speed of " + megabits + " Mbit/s");
    }
  }
}
