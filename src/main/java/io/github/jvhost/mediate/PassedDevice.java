package io.github.jvhost.mediate;

import java.nio.file.Path;

/**
 * One device whose messages are passed on as they are: one that is no network device, or whose
 * guest has an IOMMU. The mediator presets, moves and replaces nothing there.
 *
 * @param name unique among the NICs and devices of the mediator
 * @param frontEnd where the front end connects; only a socket that nobody listens on may be there
 * @param backEnd where the back end listens
 */
public record PassedDevice(String name, Path frontEnd, Path backEnd) {
  /** Checks the name. */
  public PassedDevice {
    NicOptions.requireName(name);
  }
}
