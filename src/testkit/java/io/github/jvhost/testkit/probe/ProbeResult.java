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
 * The answers of a back end to a probe.
 *
 * @param features the virtio and vhost features that it offers
 * @param protocolFeatures the protocol features that it offers; empty if it has none
 * @param acknowledged the protocol features that had to be acknowledged to ask more
 * @param queues how many queues it serves, in pairs for a network device; empty if it was not
 *     asked, because it does not offer MQ
 * @param memorySlots how many memory slots it has; empty if it takes a table of at most eight
 *     regions
 * @param status the virtio status byte; empty if it has none
 * @param replies the times from sending GET_FEATURES to its answer
 * @param dialect the dialect in which it was asked
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

  /**
   * What some implementations understand differently from the protocol; the wire does not show
   * which they are.
   */
  public enum Warning {
    /**
     * Feature 21 is offered and 22 is not. Bit 21 is GPA_ADDRESSES, but SHMEM in back ends that
     * were built with rust-vmm's vhost crate before 0.17.
     */
    SHMEM_ON_BIT_21,
    /**
     * CONFIG is offered. For the flags of SET_CONFIG, rust-vmm and crosvm use 1 and 2, and the
     * protocol 0 (writable fields) and 1 (live migration).
     */
    CONFIG_FLAGS
  }

  /**
   * {@return whether it can log the pages that it writes, so that its guest can be migrated} That
   * needs LOG_ALL, and LOG_SHMFD to receive a log.
   */
  public boolean canLog() {
    return offersLogging() && ProtocolFeature.LOG_SHMFD.isIn(protocolFeatures.orElse(0));
  }

  /** {@return whether it offers to log, with or without LOG_SHMFD} */
  public boolean offersLogging() {
    return (features & VhostFeature.LOG_ALL) != 0;
  }

  /** {@return the known warnings for such a back end; may be empty} */
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

  /** {@return whether it can be preset, one verdict for each way} */
  public List<PresetupVerdict> presetup() {
    return PresetupVerdict.of(this);
  }
}
