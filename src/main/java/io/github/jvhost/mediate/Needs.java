package io.github.jvhost.mediate;

import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.virtio.NetFeature;
import java.util.StringJoiner;

/** What a front end uses of its switch, so that another switch has to have it too. */
final class Needs {
  private static final int RINGS_OF_A_PAIR = 2;

  private Needs() {}

  /**
   * {@return what another switch lacks, in words; empty if it lacks nothing}
   *
   * @param device as the front end has described it
   * @param requests records requests in flight in a region
   * @param another what it can do
   */
  static String missing(FrontEndDevice device, boolean requests, BackEndCapabilities another) {
    StringJoiner missing = new StringJoiner(", ");
    long own = VhostFeature.PROTOCOL_FEATURES | VhostFeature.LOG_ALL;
    long features = device.features() & ~own & ~another.features();
    if (features != 0) {
      missing.add("features " + NetFeature.describe(features));
    }
    int pairs = (device.rings().size() + RINGS_OF_A_PAIR - 1) / RINGS_OF_A_PAIR;
    if (pairs > another.maxQueuePairs()) {
      missing.add("%d queue pairs of %d".formatted(pairs - another.maxQueuePairs(), pairs));
    }
    int regions = device.memory().table().regions().size();
    if (regions > another.maxMemoryRegions()) {
      missing.add("room for %d regions of guest memory".formatted(regions));
    }
    if (device.logs() && !another.canLog()) {
      missing.add("a dirty log, and the guest is being migrated");
    }
    if (requests && !another.hasInflightRegion()) {
      missing.add("INFLIGHT_SHMFD, and requests are in flight");
    }
    return missing.toString();
  }
}
