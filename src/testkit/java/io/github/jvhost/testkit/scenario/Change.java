package io.github.jvhost.testkit.scenario;

/** What the guest or its VMM changes between presetup and the stop. */
public enum Change {
  /** Nothing. */
  NONE,
  /** The guest uses another number of queue pairs. */
  QUEUE_PAIRS,
  /** The VMM changes the MTU. */
  MTU,
  /** The guest changes its MAC address. */
  MAC,
  /** The VMM adds a region of memory, which is migrated too. */
  MEMORY,
  /** The guest resets the device and starts it again. */
  RESET
}
