package io.github.jvhost.vhost.kernel;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** What a device file of the kernel offers. Immutable, and so thread-safe. */
public sealed interface KernelOffer permits VhostNetOffer, VdpaOffer {
  /** {@return the virtio and vhost features} */
  long features();

  /**
   * {@return whether there is a device file at a path, and no socket or file; or nothing, where the
   * kernel would have a device}
   *
   * @param node any path
   */
  static boolean isDevice(Path node) {
    try {
      int type = 0xf000 & (int) Files.getAttribute(node, "unix:mode");
      return type == 0x2000; // S_IFCHR
    } catch (IOException e) {
      return node.startsWith("/dev") && node.getFileName().toString().startsWith("vhost-");
    }
  }

  /**
   * Opens a device, asks, and closes it. That resets a vDPA device, which nobody else has open
   * then.
   *
   * @param node {@code /dev/vhost-net} or {@code /dev/vhost-vdpa-0}, for example
   * @param within how long that may take. A thread is left behind with what takes longer
   * @return what it offers
   * @throws VhostException with what to do if it cannot be opened, or is neither of them
   */
  static KernelOffer of(Path node, Duration within) {
    DescriptorLedger ledger = DescriptorLedger.counting();
    var thread = new DeviceThread(node.toString(), ledger);
    try {
      return thread.ask("ask " + node, () -> ask(node, ledger), Deadline.after(within));
    } finally {
      thread.end(() -> {});
    }
  }

  private static KernelOffer ask(Path node, DescriptorLedger ledger) {
    try (DeviceFile file = DeviceFile.open(ledger, node.toString())) {
      if (VdpaOffer.isVdpa(file)) {
        return VdpaOffer.ask(file, node.toString());
      }
      if (VhostNetOffer.isAt(node)) {
        return VhostNetOffer.ask(file);
      }
      throw new VhostException(
          node + " is neither /dev/vhost-net nor a vDPA device", Recovery.GIVE_UP);
    }
  }
}
