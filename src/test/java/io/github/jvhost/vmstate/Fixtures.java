package io.github.jvhost.vmstate;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.zip.GZIPInputStream;

/** Bodies of sections that a real QEMU 7.2 wrote. */
final class Fixtures {
  /** microvm, legacy virtio-mmio, paused before its firmware. */
  static final String MMIO = "g_microvm_mmio.0.bin.gz";

  /** i440fx, legacy virtio-pci with INTx, Linux running. */
  static final String PCI_LEGACY = "f4_booted_pc_legacy_intx.0.bin.gz";

  /**
   * q35, transitional virtio-pci with MSI-X, Linux running, with VLANs and further MAC addresses.
   */
  static final String PCI_MODERN = "f_booted_q35_q1_vlan_mac.0.bin.gz";

  static final SectionShape PCI = SectionShape.pci(1, 256);

  private Fixtures() {}

  static byte[] load(String name) {
    try (InputStream in = Fixtures.class.getResourceAsStream("/vmstate/" + name)) {
      if (in == null) {
        throw new IllegalStateException("no fixture " + name);
      }
      return name.endsWith(".gz") ? new GZIPInputStream(in).readAllBytes() : in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
