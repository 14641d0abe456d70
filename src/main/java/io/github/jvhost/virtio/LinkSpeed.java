package io.github.jvhost.virtio;

import java.util.Objects;

/**
 * What a device with SPEED_DUPLEX tells its driver of its link (virtio 1.2, 5.1.4). It is for
 * people and tools of the guest: nothing becomes slower or faster for it, and no back end is told.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param megabits per second, 0 to 2147483647, or {@link #UNKNOWN_SPEED}
 * @param duplex whether both sides may send at the same time
 */
public record LinkSpeed(int megabits, Duplex duplex) {
  /** A speed that nobody knows. */
  public static final int UNKNOWN_SPEED = -1;

  /** Neither is known. */
  public static final LinkSpeed UNKNOWN = new LinkSpeed(UNKNOWN_SPEED, Duplex.UNKNOWN);

  /** Whether both sides may send at the same time. */
  public enum Duplex {
    /** One at a time. */
    HALF(0),
    /** Both. */
    FULL(1),
    /** Nobody knows. */
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
