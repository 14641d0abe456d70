package io.github.jvhost.vhost;

/** How a device is started in the stop window. */
public enum StartOrder {
  /** The planner's difference, all devices side by side, one wait each. */
  PLANNED,
  /** The baseline: as QEMU tells it, with its waits, one device after the other. */
  QEMU
}
