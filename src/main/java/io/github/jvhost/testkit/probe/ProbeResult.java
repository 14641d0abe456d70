package io.github.jvhost.testkit.probe;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.testkit.trace.SortedTimes;
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

  /** {@return whether it can log the pages that it writes, so that its guest can be migrated} */
  public boolean canLog() {
    return (features & VhostFeature.LOG_ALL) != 0;
  }

  /** {@return whether it could be set up early, one verdict for each way} */
  public List<PresetupVerdict> presetup() {
    return PresetupVerdict.of(this);
  }
}
