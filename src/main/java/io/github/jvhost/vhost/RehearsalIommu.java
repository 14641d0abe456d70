package io.github.jvhost.vhost;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.Translation;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * What a rehearsal takes for the guest's mappings, which have not arrived yet: what the source has
 * told its back end, and for all other addresses the largest region, again and again. Nobody
 * accesses memory for them in earnest.
 */
final class RehearsalIommu implements Iommu {
  private final TranslationMap hints = new TranslationMap();
  private final MemoryRegion region;

  /** Power of two, at most the size of the region. */
  private final long span;

  /**
   * Makes one.
   *
   * @param hints none of which overlap
   * @param regions of guest memory, at least one
   */
  RehearsalIommu(List<Translation> hints, List<MemoryRegion> regions) {
    hints.forEach(this.hints::put);
    region = regions.stream().max(Comparator.comparingLong(MemoryRegion::size)).orElseThrow();
    span = Long.highestOneBit(region.size());
  }

  @Override
  public Optional<Translation> translate(long iova, Access access) {
    Translation hint = hints.at(iova);
    if (hint != null) {
      return Optional.of(hint).filter(one -> one.access().permits(access));
    }
    long offset = iova & (span - 1);
    return Optional.of(
        new Translation(iova, region.guestAddress() + offset, span - offset, Access.READ_WRITE));
  }
}
