package io.github.jvhost.migration;

/** Where a migration is. */
public enum Phase {
  /** Both sides agree on memory and devices; dirty logs are switched on; early records. */
  SETUP,
  /** RAM goes over while the guest runs, and the destination presets its back ends. */
  ITERATE,
  /** The guest is stopped; rings stop, the last pages and the final state go over. */
  STOP,
  /** Everything was handed over; the destination starts its devices. */
  HAND_OVER,
  /** The guest runs on the destination. */
  DONE
}
