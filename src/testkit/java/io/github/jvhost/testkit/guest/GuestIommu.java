package io.github.jvhost.testkit.guest;

import io.github.jvhost.memory.Translation;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.vhost.VhostNet;

/**
 * The IOMMU as a guest's driver programs it. The guest's thread calls it, and waits for the result
 * as a vCPU does. A VMM that tells its devices of mappings does so in these calls.
 *
 * <p>An owner that waits for {@link TestGuest#pause} must serve these calls while it waits, or the
 * pause fails at its deadline.
 */
public interface GuestIommu {
  /**
   * The driver has mapped a range for its device. It uses the range when this returns.
   *
   * @param mapping the range, the memory, and what the device may do there
   */
  void map(Translation mapping);

  /**
   * The driver has unmapped a range. It uses the memory for something else when this returns.
   *
   * @param iova I/O virtual address of the first byte
   * @param length in bytes
   */
  void unmap(long iova, long length);

  /**
   * {@return an IOMMU that notes the guest's mappings and tells no device of them}
   *
   * @param table where they are noted
   */
  static GuestIommu of(IommuTable table) {
    return new GuestIommu() {
      @Override
      public void map(Translation mapping) {
        table.map(mapping);
      }

      @Override
      public void unmap(long iova, long length) {
        table.unmap(iova, length);
      }
    };
  }

  /**
   * {@return an IOMMU that notes the guest's mappings and tells a device of each before the guest
   * goes on}
   *
   * @param table where they are noted; the device's own
   * @param device which is told
   * @param push whether its back end is told all mappings; otherwise only what it has asked for
   */
  static GuestIommu of(IommuTable table, VhostNet device, boolean push) {
    return new GuestIommu() {
      @Override
      public void map(Translation mapping) {
        table.map(mapping);
        if (push) {
          device.iotlbUpdate(mapping.iova(), mapping.length());
        } else {
          device.iotlbMapped(mapping.iova(), mapping.length());
        }
      }

      @Override
      public void unmap(long iova, long length) {
        table.unmap(iova, length);
        device.iotlbInvalidate(iova, length);
      }
    };
  }
}
