package io.github.jvhost.testkit;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.virtio.NetFeature;

/**
 * The features and limits that a mock back end offers.
 *
 * <p>It serves every protocol feature except crypto sessions and Xen mappings. Of PAGEFAULT it
 * serves only the messages: the descriptor in the answer to POSTCOPY_ADVISE is an eventfd that
 * never becomes readable, because no page is ever missing.
 *
 * @param personality how it behaves where the specification leaves a choice
 * @param features the answer to GET_FEATURES
 * @param protocolFeatures the answer to GET_PROTOCOL_FEATURES, without PRESETUP's bit, which the
 *     dialect adds
 * @param dialect the request numbers and feature bits that it understands
 * @param queuePairs how many queue pairs it serves, 1 to 64
 * @param memorySlots how many memory slots it has, 8 to 512
 * @param iotlb how it keeps translations, if IOMMU_PLATFORM is among the features
 */
public record BackEndOffer(
    Personality personality,
    long features,
    long protocolFeatures,
    Dialect dialect,
    int queuePairs,
    int memorySlots,
    IotlbModel iotlb) {
  /**
   * The feature bits of a new offer; also the bits that the packet path of {@link MockBackEnd} can
   * serve.
   */
  public static final long DEFAULT_FEATURES =
      NetFeature.maskOf(
              NetFeature.MTU,
              NetFeature.MRG_RXBUF,
              NetFeature.CTRL_VQ,
              NetFeature.GUEST_ANNOUNCE,
              NetFeature.MQ,
              NetFeature.VERSION_1)
          | VhostFeature.LOG_ALL
          | VhostFeature.PROTOCOL_FEATURES;

  /**
   * The protocol feature bits of a new offer; STATUS is among them only if the original of the
   * personality offers it.
   */
  public static final long DEFAULT_PROTOCOL_FEATURES =
      ProtocolFeature.maskOf(
          ProtocolFeature.MQ,
          ProtocolFeature.LOG_SHMFD,
          ProtocolFeature.RARP,
          ProtocolFeature.REPLY_ACK,
          ProtocolFeature.MTU,
          ProtocolFeature.STATUS);

  /** Checks the ranges. */
  public BackEndOffer {
    if (queuePairs < 1 || queuePairs > 64) {
      throw new IllegalArgumentException(
          "a mock back end has 1 to 64 queue pairs, not " + queuePairs);
    }
    if (memorySlots < 8 || memorySlots > 512) {
      throw new IllegalArgumentException(
          "a mock back end has 8 to 512 memory slots, not " + memorySlots);
    }
  }

  /**
   * {@return what a personality offers by default: no PRESETUP, eight queue pairs, 32 memory slots}
   *
   * @param personality how the back end behaves; STATUS is offered if its original offers it
   */
  public static BackEndOffer of(Personality personality) {
    long status = ProtocolFeature.STATUS.mask();
    return new BackEndOffer(
        personality,
        DEFAULT_FEATURES,
        personality.offersStatus()
            ? DEFAULT_PROTOCOL_FEATURES
            : DEFAULT_PROTOCOL_FEATURES & ~status,
        Dialect.UPSTREAM,
        8,
        32,
        IotlbModel.DPDK);
  }

  /**
   * {@return the same offer with other feature bits}
   *
   * @param bits all of the answer to GET_FEATURES
   */
  public BackEndOffer withFeatures(long bits) {
    return copy(bits, protocolFeatures, dialect, queuePairs, memorySlots, iotlb);
  }

  /**
   * {@return the same offer with another set of protocol features}
   *
   * @param bits all of them except PRESETUP's bit, which the dialect adds
   */
  public BackEndOffer withProtocolFeatures(long bits) {
    return copy(features, bits, dialect, queuePairs, memorySlots, iotlb);
  }

  /**
   * {@return the same offer with one more protocol feature}
   *
   * @param feature the feature to add; one that is offered already changes nothing
   */
  public BackEndOffer with(ProtocolFeature feature) {
    return withProtocolFeatures(protocolFeatures | feature.mask());
  }

  /**
   * {@return the same offer without one protocol feature}
   *
   * @param feature the feature to remove; one that is not offered changes nothing
   */
  public BackEndOffer without(ProtocolFeature feature) {
    return withProtocolFeatures(protocolFeatures & ~feature.mask());
  }

  /**
   * {@return the same offer in another dialect}
   *
   * @param other the numbers that are understood; only some dialects have a bit for PRESETUP
   */
  public BackEndOffer withDialect(Dialect other) {
    return copy(features, protocolFeatures, other, queuePairs, memorySlots, iotlb);
  }

  /**
   * {@return the same offer with another number of queue pairs}
   *
   * @param pairs 1 to 64
   */
  public BackEndOffer withQueuePairs(int pairs) {
    return copy(features, protocolFeatures, dialect, pairs, memorySlots, iotlb);
  }

  /**
   * {@return the same offer with another number of memory slots}
   *
   * @param slots 8 to 512
   */
  public BackEndOffer withMemorySlots(int slots) {
    return copy(features, protocolFeatures, dialect, queuePairs, slots, iotlb);
  }

  /**
   * {@return the same offer for a guest with an IOMMU: IOMMU_PLATFORM, and the back end's own
   * channel, on which it asks for translations}
   *
   * @param model how it keeps them
   */
  public BackEndOffer withIotlb(IotlbModel model) {
    return copy(
        features | VhostFeature.IOMMU_PLATFORM,
        protocolFeatures | ProtocolFeature.BACKEND_REQ.mask(),
        dialect,
        queuePairs,
        memorySlots,
        model);
  }

  private BackEndOffer copy(
      long newFeatures,
      long newProtocolFeatures,
      Dialect other,
      int pairs,
      int slots,
      IotlbModel model) {
    return new BackEndOffer(
        personality, newFeatures, newProtocolFeatures, other, pairs, slots, model);
  }

  /** {@return how many rings it serves: an RX and a TX ring per queue pair} */
  public int rings() {
    return 2 * queuePairs;
  }

  /**
   * {@return the bit of PRESETUP if the dialect has one and the personality knows it; otherwise 0}
   */
  long presetupMask() {
    return personality.knowsPresetup() ? dialect.presetupMask() : 0;
  }

  /**
   * {@return all of the answer to GET_PROTOCOL_FEATURES: PRESETUP's bit added, masked bits left
   * out}
   */
  public long offeredProtocolFeatures() {
    return (protocolFeatures & ~dialect.maskedProtocolFeatures()) | presetupMask();
  }
}
