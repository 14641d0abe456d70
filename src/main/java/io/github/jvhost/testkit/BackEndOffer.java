package io.github.jvhost.testkit;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.virtio.NetFeature;

/**
 * What a mock back end has to offer.
 *
 * <p>It serves every protocol feature but crypto sessions and Xen mappings. Of PAGEFAULT it serves
 * the messages: the descriptor that comes with the answer to POSTCOPY_ADVISE is an eventfd, which
 * is never readable, and no page is ever missed.
 *
 * @param personality how it behaves where the specification leaves room
 * @param features answer of GET_FEATURES
 * @param protocolFeatures answer of GET_PROTOCOL_FEATURES, without PRESETUP's bit, which the
 *     dialect adds
 * @param dialect the numbers that it understands
 * @param queuePairs how many queue pairs it serves, 1 to 64
 * @param memorySlots how many memory regions it takes one by one, 8 to 512
 */
public record BackEndOffer(
    Personality personality,
    long features,
    long protocolFeatures,
    Dialect dialect,
    int queuePairs,
    int memorySlots) {
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
   * The protocol feature bits of a new offer; STATUS only where the personality's original offers
   * it.
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

  /** What the personality offers by default: no PRESETUP, eight queue pairs. */
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
        32);
  }

  /** The same with other feature bits. */
  public BackEndOffer withFeatures(long bits) {
    return new BackEndOffer(personality, bits, protocolFeatures, dialect, queuePairs, memorySlots);
  }

  /** The same with another set of protocol features. */
  public BackEndOffer withProtocolFeatures(long bits) {
    return new BackEndOffer(personality, features, bits, dialect, queuePairs, memorySlots);
  }

  /** The same and one protocol feature more. */
  public BackEndOffer with(ProtocolFeature feature) {
    return withProtocolFeatures(protocolFeatures | feature.mask());
  }

  /** The same and one protocol feature less. */
  public BackEndOffer without(ProtocolFeature feature) {
    return withProtocolFeatures(protocolFeatures & ~feature.mask());
  }

  /** The same in another dialect. */
  public BackEndOffer withDialect(Dialect other) {
    return new BackEndOffer(
        personality, features, protocolFeatures, other, queuePairs, memorySlots);
  }

  /** The same with another number of queue pairs. */
  public BackEndOffer withQueuePairs(int pairs) {
    return new BackEndOffer(personality, features, protocolFeatures, dialect, pairs, memorySlots);
  }

  /** The same with another number of memory slots. */
  public BackEndOffer withMemorySlots(int slots) {
    return new BackEndOffer(personality, features, protocolFeatures, dialect, queuePairs, slots);
  }

  /** How many rings it serves: an RX and a TX ring per queue pair. */
  public int rings() {
    return 2 * queuePairs;
  }

  /** The bit of PRESETUP where the dialect has one and the personality knows it; otherwise 0. */
  public long presetupMask() {
    return personality.knowsPresetup() ? dialect.presetupMask() : 0;
  }

  /** All of the answer to GET_PROTOCOL_FEATURES. */
  public long offeredProtocolFeatures() {
    return (protocolFeatures & ~dialect.maskedProtocolFeatures()) | presetupMask();
  }
}
