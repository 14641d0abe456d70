package io.github.jvhost.vhost.plan;

import java.util.OptionalInt;

/**
 * An answer to GET_VRING_BASE that did not count, because guest memory or the in-flight region of a
 * packed ring rules it out. The device goes on where these say.
 *
 * @param device its name
 * @param ring vring index
 * @param answered by the back end, in the encoding of GET_VRING_BASE
 * @param goesOnAt what counted instead, in that encoding; empty: it is not known where the ring
 *     goes on (a packed ring without an in-flight region), and the driver has to reset the device
 * @param why the answer cannot be right
 */
public record RefusedBase(String device, int ring, int answered, OptionalInt goesOnAt, String why) {

  /** {@return the same as text on one line} */
  public String describe() {
    return "%s: ring %d: the back end answered that it stopped at 0x%x, which cannot be: %s; %s"
        .formatted(
            device,
            ring,
            answered,
            why,
            goesOnAt.isPresent()
                ? "it goes on at 0x%x instead".formatted(goesOnAt.getAsInt())
                : "where it goes on is not known, and the driver has to reset the device");
  }
}
