package io.github.jvhost.vhost;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import java.nio.file.Path;
import java.time.Duration;

/**
 * How a vhost device reaches its back end.
 *
 * @param name of the device, in every message and error
 * @param socket on which the back end listens
 * @param dialect in which it is spoken to; {@link Dialect#UPSTREAM} has no PRESETUP
 * @param profile what is known of it
 * @param ledger that counts descriptors
 * @param connectWithin how long connecting and the first questions may take; a loaded DPDK was seen
 *     to take half a second for the first answer
 * @param presetupWithin how long an early set-up may take; the guest runs meanwhile
 * @param transitionWithin how long any other change may take, a stop window included
 */
public record VhostDeviceOptions(
    String name,
    Path socket,
    Dialect dialect,
    BackEndProfile profile,
    DescriptorLedger ledger,
    Duration connectWithin,
    Duration presetupWithin,
    Duration transitionWithin) {

  /** The usual bounds: 5 s to connect, 30 s for presetup, 10 s for a transition. */
  public static VhostDeviceOptions of(
      String name, Path socket, Dialect dialect, BackEndProfile profile, DescriptorLedger ledger) {
    return new VhostDeviceOptions(
        name,
        socket,
        dialect,
        profile,
        ledger,
        Duration.ofSeconds(5),
        Duration.ofSeconds(30),
        Duration.ofSeconds(10));
  }
}
