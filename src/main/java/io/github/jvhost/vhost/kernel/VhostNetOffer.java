package io.github.jvhost.vhost.kernel;

import io.github.jvhost.memory.MemoryTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What vhost-net offers. The features of a device with it are these, and those of its tap.
 *
 * @param features virtio's and vhost's
 * @param memoryRegions how many regions a memory table may have
 */
public record VhostNetOffer(long features, int memoryRegions) implements KernelOffer {
  /** Misc device 238 (linux/miscdevice.h), as stat says it. */
  private static final long NUMBER = 10 << 8 | 238;

  private static final Path REGIONS = Path.of("/sys/module/vhost/parameters/max_mem_regions");
  private static final int USUAL_REGIONS = 64;

  static boolean isAt(Path node) {
    try {
      return (long) Files.getAttribute(node, "unix:rdev") == NUMBER;
    } catch (IOException e) {
      return false;
    }
  }

  static VhostNetOffer ask(DeviceFile file) {
    return new VhostNetOffer(file.getLong(Ioctl.GET_FEATURES, "ask vhost-net"), regions());
  }

  private static int regions() {
    try {
      return Math.clamp(
          Long.parseLong(Files.readString(REGIONS).strip()), 1, MemoryTable.MAX_REGIONS);
    } catch (IOException | NumberFormatException e) {
      return USUAL_REGIONS; // its default since Linux 4.2
    }
  }
}
