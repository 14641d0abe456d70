package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import java.util.StringJoiner;

/**
 * What a network device uses of its back end, so that another back end has to have it too. What the
 * earlier back end had beyond that does not matter: a driver that never negotiated a feature does
 * not miss it.
 *
 * @param model what the driver has negotiated, and how many queue pairs the device has
 * @param regions of guest memory
 * @param logging whether dirty pages are logged
 * @param inflight whether a region records requests in flight, which only a back end with
 *     INFLIGHT_SHMFD can use. It is needed for split rings too: a back end that made a region may
 *     complete requests in another order than they were made available. Then the used index only
 *     says how many are done, and the region says which. A back end that goes on at the used index
 *     without it does some requests twice and never completes others
 * @param translated whether an IOMMU stands between the device and guest memory
 */
record NetNeeds(
    VirtioNet model, int regions, boolean logging, boolean inflight, boolean translated) {
  /** What a back end lacks that cannot serve a device behind an IOMMU. */
  static final String WHY_NOT_TRANSLATED =
      "it cannot serve a device behind an IOMMU (ACCESS_PLATFORM, BACKEND_REQ and REPLY_ACK)";

  /**
   * Limits what the device offers to its driver to what another back end can do.
   *
   * @throws VhostException (RECONNECT) if the back end lacks something that is in use; nothing has
   *     changed then, and the next back end may have it
   */
  void use(BackEndCapabilities offered) {
    String missing = missingIn(offered);
    if (!missing.isEmpty()) {
      throw new VhostException(
          "%s: the back end that came back lacks what the device has in use: %s"
              .formatted(model.name(), missing),
          Recovery.RECONNECT);
    }
    boolean allPairs = offered.maxQueuePairs() >= model.maxQueuePairs();
    // With MQ a driver could use all pairs, and it cannot be shown fewer.
    long without = allPairs ? 0 : NetFeature.MQ.mask();
    model.withholdFeatures(offered.uncontrolled());
    NetPlanning.limitFeatures(model, offered.features() & ~without);
  }

  private String missingIn(BackEndCapabilities offered) {
    StringJoiner missing = new StringJoiner(", ");
    long features =
        model.backEndFeatures() & ~offered.features() & ~NetFeature.ACCESS_PLATFORM.mask();
    features |= model.driverFeatures() & offered.uncontrolled();
    if (features != 0) {
      missing.add("features " + NetFeature.describe(features));
    }
    if (translated && !offered.translates()) {
      missing.add(WHY_NOT_TRANSLATED);
    }
    if (offered.maxQueuePairs() < model.backEndQueuePairs()) {
      missing.add(
          "it serves %d queue pairs of %d"
              .formatted(offered.maxQueuePairs(), model.backEndQueuePairs()));
    }
    if (offered.maxMemoryRegions() < regions) {
      missing.add(
          "it takes %d memory regions of %d".formatted(offered.maxMemoryRegions(), regions));
    }
    if (NetFeature.MTU.in(model.driverFeatures()) && model.mtu() > offered.maxMtu()) {
      missing.add("its MTU is %d, and not %d".formatted(offered.maxMtu(), model.mtu()));
    }
    offered
        .fixedMac()
        .filter(mac -> !mac.equals(model.mac()))
        .ifPresent(mac -> missing.add("its address is %s, and not %s".formatted(mac, model.mac())));
    if (logging && !offered.canLog()) {
      missing.add("it cannot log the pages that it writes");
    }
    if (inflight && !offered.hasInflightRegion()) {
      missing.add("it cannot go on with requests in flight (INFLIGHT_SHMFD)");
    }
    boolean legacy = model.live() && !NetFeature.VERSION_1.in(model.driverFeatures());
    if (legacy && model.legacyBigEndian() && !offered.hasRingOrder()) {
      missing.add("it does not support the byte order of a legacy driver (CROSS_ENDIAN)");
    }
    return missing.toString();
  }
}
