package io.github.jvhost.testkit.probe;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.testkit.trace.SortedTimes;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What a back end said of itself.
 *
 * @param features that it offers, virtio's and vhost's
 * @param protocolFeatures that it offers; empty: it has none
 * @param acknowledged the protocol features that had to be acknowledged to ask more
 * @param queues how many it serves: pairs, of a network device; empty: it was not asked, because it
 *     does not offer MQ
 * @param memorySlots regions that it takes one by one; empty: it takes a table of at most eight
 * @param status the virtio status byte; empty: it knows none
 * @param replies times from writing GET_FEATURES to its answer
 * @param dialect in which it was asked
 */
public record ProbeResult(
    long features,
    OptionalLong protocolFeatures,
    long acknowledged,
    OptionalLong queues,
    OptionalLong memorySlots,
    OptionalInt status,
    SortedTimes replies,
    Dialect dialect) {

  /** What some implementations read otherwise than the protocol says; the wire does not tell. */
  public enum Warning {
    /**
     * Feature 21 is offered and 22 is not: GPA_ADDRESSES, or SHMEM to whoever was built with
     * rust-vmm's vhost crate before 0.17.
     */
    SHMEM_ON_BIT_21,
    /**
     * CONFIG is offered: rust-vmm and crosvm know the flags of SET_CONFIG as 1 and 2, where the
     * protocol has 0 (writable fields) and 1 (live migration).
     */
    CONFIG_FLAGS
  }

  /**
   * {@return whether it can log the pages that it writes, so that its guest can be migrated} That
   * takes LOG_ALL, and LOG_SHMFD to be given a log at all.
   */
  public boolean canLog() {
    return offersLogging() && ProtocolFeature.LOG_SHMFD.isIn(protocolFeatures.orElse(0));
  }

  /** {@return whether it offers to log, wherever the log is to come from} */
  public boolean offersLogging() {
    return (features & VhostFeature.LOG_ALL) != 0;
  }

  /** {@return what is to be watched out for at such a back end; empty where nothing is known} */
  public List<Warning> warnings() {
    long offered = protocolFeatures.orElse(0) & ~dialect.maskedProtocolFeatures();
    List<Warning> warnings = new ArrayList<>();
    if (ProtocolFeature.GPA_ADDRESSES.isIn(offered) && !ProtocolFeature.SHMEM.isIn(offered)) {
      warnings.add(Warning.SHMEM_ON_BIT_21);
    }
    if (ProtocolFeature.CONFIG.isIn(offered)) {
      warnings.add(Warning.CONFIG_FLAGS);
    }
    return List.copyOf(warnings);
  }

  /** {@return whether it could be set up early, one verdict for each way} */
  public List<PresetupVerdict> presetup() {
    return PresetupVerdict.of(this);
  }
}
