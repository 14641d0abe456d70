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

  /**
   * {@return what a personality offers by default: no PRESETUP, eight queue pairs, 32 memory slots}
   *
   * @param personality how the back end behaves; STATUS is offered where its original offers it
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
        32);
  }

  /**
   * {@return the same offer with other feature bits}
   *
   * @param bits all of the answer to GET_FEATURES
   */
  public BackEndOffer withFeatures(long bits) {
    return new BackEndOffer(personality, bits, protocolFeatures, dialect, queuePairs, memorySlots);
  }

  /**
   * {@return the same offer with another set of protocol features}
   *
   * @param bits all of them but PRESETUP's bit, which the dialect adds
   */
  public BackEndOffer withProtocolFeatures(long bits) {
    return new BackEndOffer(personality, features, bits, dialect, queuePairs, memorySlots);
  }

  /**
   * {@return the same offer and one protocol feature more}
   *
   * @param feature to be offered; one that is offered already changes nothing
   */
  public BackEndOffer with(ProtocolFeature feature) {
    return withProtocolFeatures(protocolFeatures | feature.mask());
  }

  /**
   * {@return the same offer and one protocol feature less}
   *
   * @param feature to be left out; one that is not offered changes nothing
   */
  public BackEndOffer without(ProtocolFeature feature) {
    return withProtocolFeatures(protocolFeatures & ~feature.mask());
  }

  /**
   * {@return the same offer in another dialect}
   *
   * @param other the numbers that are understood; with it PRESETUP may come or go
   */
  public BackEndOffer withDialect(Dialect other) {
    return new BackEndOffer(
        personality, features, protocolFeatures, other, queuePairs, memorySlots);
  }

  /**
   * {@return the same offer with another number of queue pairs}
   *
   * @param pairs 1 to 64
   */
  public BackEndOffer withQueuePairs(int pairs) {
    return new BackEndOffer(personality, features, protocolFeatures, dialect, pairs, memorySlots);
  }

  /**
   * {@return the same offer with another number of memory slots}
   *
   * @param slots 8 to 512
   */
  public BackEndOffer withMemorySlots(int slots) {
    return new BackEndOffer(personality, features, protocolFeatures, dialect, queuePairs, slots);
  }

  /** {@return how many rings it serves: an RX and a TX ring per queue pair} */
  public int rings() {
    return 2 * queuePairs;
  }

  /**
   * {@return the bit of PRESETUP where the dialect has one and the personality knows it; otherwise
   * 0}
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
