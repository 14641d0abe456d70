package io.github.jvhost.migration;

import io.github.jvhost.vhost.VhostNet;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/** Checks the devices that either end is given. */
final class MigratedDevices {
  private MigratedDevices() {}

  /**
   * The devices, each of which is there once.
   *
   * @throws IllegalArgumentException if two have the same name, or one is there twice
   */
  static List<VhostNet> eachOnce(List<VhostNet> devices) {
    Objects.requireNonNull(devices, "devices(...) of a migration: an empty list if it has none");
    Set<String> names = new HashSet<>();
    for (VhostNet device : devices) {
      if (!names.add(device.name())) {
        throw new IllegalArgumentException(
            "a migration with two devices that are called " + device.name());
      }
    }
    return List.copyOf(devices);
  }
}
