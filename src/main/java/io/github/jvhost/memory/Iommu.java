package io.github.jvhost.memory;

import java.util.Optional;

/**
 * The IOMMU that stands between a device and guest memory. The embedder's VMM emulates it; this
 * library asks it for translations, and is told when the guest changes some (see {@code
 * io.github.jvhost.vhost.VhostNet}).
 *
 * <p>Any thread asks: one that calls a device, the one of a {@code BackEndWatch}, the one that
 * carries out a stop window. Most of them hold the lock of a device meanwhile. So an implementation
 * is thread-safe, returns at once, and does not call a device. It takes no lock that a thread holds
 * while it calls a device, or both threads wait for ever. For a VMM that means: change the
 * mappings, release the IOMMU's lock, then call {@code iotlbInvalidate} or {@code iotlbMapped}.
 *
 * <p>Where it throws, the address counts as not mapped: what a back end holds there is withdrawn,
 * and told again after the next {@code iotlbMapped} or when the back end asks. The first exception
 * is logged.
 */
@FunctionalInterface
public interface Iommu {
  /**
   * No IOMMU: each I/O virtual address is the guest address with the same number. A device that
   * offers ACCESS_PLATFORM needs an IOMMU, and this one if there is none. Its back end then hears
   * nothing of it, and need not know the feature.
   */
  Iommu NONE =
      (address, _) ->
          address < 0 || address == Long.MAX_VALUE
              ? Optional.empty()
              : Optional.of(
                  new Translation(address, address, Long.MAX_VALUE - address, Access.READ_WRITE));

  /**
   * {@return the largest piece that translates an address; empty if the guest has mapped nothing
   * there, or does not permit the access} Called with the lock of a device held: see above for what
   * it may not do.
   *
   * @param iova I/O virtual address
   * @param access what the device wants
   */
  Optional<Translation> translate(long iova, Access access);
}
