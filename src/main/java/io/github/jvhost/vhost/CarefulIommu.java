package io.github.jvhost.vhost;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.memory.Translation;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An embedder's IOMMU. Where it throws, it counts as one that translates nothing: a miss waits, a
 * ring is not set up, and what the back end may hold there is withdrawn.
 */
final class CarefulIommu implements Iommu {
  private static final Logger log = LoggerFactory.getLogger(CarefulIommu.class);

  private final String device;
  private final Iommu iommu;
  private final AtomicBoolean logged = new AtomicBoolean();

  CarefulIommu(String device, Iommu iommu) {
    this.device = device;
    this.iommu = iommu;
  }

  @Override
  public Optional<Translation> translate(long iova, Access access) {
    try {
      return Objects.requireNonNull(iommu.translate(iova, access), "the answer");
    } catch (Throwable e) { // also an Error, because a back end waits
      if (!logged.getAndSet(true)) {
        log.warn(
            "{}: its Iommu has thrown at I/O virtual address 0x{}, which counts as not mapped;"
                + " further ones are not logged",
            device,
            Long.toHexString(iova),
            e);
      }
      return Optional.empty();
    }
  }
}
