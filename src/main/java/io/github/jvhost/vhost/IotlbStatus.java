package io.github.jvhost.vhost;

/**
 * What the back end of a device behind an IOMMU was told of its translations, for reports.
 *
 * @param told translations that it was told and not told to forget
 * @param widened how many of them permit more than the guest does. What may be written, and rings,
 *     are told for reading and writing, because DPDK serves no ring and fills no buffer otherwise
 * @param apart how often two of them adjoin in I/O virtual addresses, and their memory is apart. If
 *     {@code BackEndProfile.joinsAdjoiningTranslations}, the back end takes them for one piece
 * @param misses how often a back end has asked for one since the device was first connected
 */
public record IotlbStatus(int told, int widened, int apart, long misses) {}
