package io.github.jvhost.testkit.scenario;

import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.util.Locale;

/** One way to migrate. */
public enum Variant {
  /** As QEMU does: its order, its waits, one device after the other, no presetup. */
  OFF(PresetupMode.OFF),
  /** No presetup, but planned, pipelined and side by side. */
  OFF_PIPELINED(PresetupMode.OFF),
  /** Presetup with the PRESETUP message. */
  EXPLICIT(PresetupMode.EXPLICIT),
  /** Presetup with what may be sent early to any back end. */
  IMPLICIT(PresetupMode.IMPLICIT),
  /** Presetup with what may be sent early to DPDK. */
  IMPLICIT_DPDK(PresetupMode.IMPLICIT);

  private final PresetupMode mode;

  Variant(PresetupMode mode) {
    this.mode = mode;
  }

  /** {@return how back ends are preset} */
  public PresetupMode mode() {
    return mode;
  }

  /** {@return how devices start and stop} */
  public StartOrder order() {
    return this == OFF ? QemuOrder.QEMU : StartOrder.PLANNED;
  }

  /** {@return the name in lower case and with hyphens: "off-pipelined"} */
  public String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
