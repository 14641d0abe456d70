package io.github.jvhost.testkit.scenario;

import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.util.Locale;

/** One way to migrate. */
public enum Variant {
  /** As QEMU does: its order, its waits, device after device, nothing early. */
  OFF(PresetupMode.OFF, StartOrder.QEMU),
  /** Nothing early, but planned, pipelined and side by side. */
  OFF_PIPELINED(PresetupMode.OFF, StartOrder.PLANNED),
  /** With the PRESETUP message. */
  EXPLICIT(PresetupMode.EXPLICIT, StartOrder.PLANNED),
  /** With what may be told early to any back end. */
  IMPLICIT(PresetupMode.IMPLICIT, StartOrder.PLANNED),
  /** With what may be told early to DPDK. */
  IMPLICIT_DPDK(PresetupMode.IMPLICIT, StartOrder.PLANNED);

  private final PresetupMode mode;
  private final StartOrder order;

  Variant(PresetupMode mode, StartOrder order) {
    this.mode = mode;
    this.order = order;
  }

  /** {@return how back ends are set up early} */
  public PresetupMode mode() {
    return mode;
  }

  /** {@return how devices start and stop} */
  public StartOrder order() {
    return order;
  }

  /** {@return the name in lower case and with hyphens: "off-pipelined"} */
  public String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
