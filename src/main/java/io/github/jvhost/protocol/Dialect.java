package io.github.jvhost.protocol;

import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Says which numbers mean what. The upstream specification has no numbers for PRESETUP. The numbers
 * that existing back ends use for it have another meaning upstream, and the wire does not show
 * which one is meant. So the embedder chooses a dialect. One number never has two meanings in one
 * dialect:
 *
 * <pre>
 *                       bit 18          bit 20                   id 41              id 44
 *   UPSTREAM            SHARED_OBJECT   GET_VRING_BASE_INFLIGHT  GET_SHARED_OBJECT  GET_SHMEM_CONFIG
 *   RFC_2023            PRESETUP        GET_VRING_BASE_INFLIGHT  PRESETUP           GET_SHMEM_CONFIG
 *   NVIDIA_QEMU_8_2     SHARED_OBJECT   PRESETUP                 GET_SHARED_OBJECT  PRESETUP
 * </pre>
 *
 * <p>PRESETUP is specified nowhere upstream, so a dialect also says what it promises: {@link
 * #presetupHoldsRings}.
 *
 * <p>A masked feature is never negotiated in its upstream meaning. The dialect has no request that
 * needs it.
 *
 * @param name for messages
 * @param presetup the numbers of PRESETUP; empty when the dialect has none
 * @param maskedProtocolFeatures bits that may not be acknowledged in their upstream meaning;
 *     includes the bit of PRESETUP if that bit has an upstream meaning
 * @param presetupHoldsRings whether each back end that speaks this dialect and has acknowledged
 *     PRESETUP touches no ring before DRIVER_OK, also not one that has its real kick
 */
public record Dialect(
    String name,
    Optional<PresetupCode> presetup,
    long maskedProtocolFeatures,
    boolean presetupHoldsRings) {
  /** The upstream specification, without PRESETUP. */
  public static final Dialect UPSTREAM = new Dialect("UPSTREAM", Optional.empty(), 0, false);

  /**
   * The patches of September 2023 and the back ends built for them. These back ends also offer bit
   * 19 with another meaning, so bit 19 is masked too.
   */
  public static final Dialect RFC_2023 =
      new Dialect(
          "RFC_2023",
          Optional.of(new PresetupCode(18, 41)),
          ProtocolFeature.maskOf(ProtocolFeature.SHARED_OBJECT, ProtocolFeature.DEVICE_STATE),
          false);

  /**
   * The rebase of March 2024. Its request id is GET_SHMEM_CONFIG upstream, so SHMEM is masked as
   * well as its bit and bit 19.
   */
  public static final Dialect NVIDIA_QEMU_8_2 =
      new Dialect(
          "NVIDIA_QEMU_8_2",
          Optional.of(new PresetupCode(20, 44)),
          ProtocolFeature.maskOf(
              ProtocolFeature.GET_VRING_BASE_INFLIGHT,
              ProtocolFeature.DEVICE_STATE,
              ProtocolFeature.SHMEM),
          false);

  /**
   * Refuses a number with two meanings.
   *
   * @throws IllegalArgumentException if PRESETUP's bit or id has an upstream meaning that is not
   *     masked
   */
  public Dialect {
    Objects.requireNonNull(name, "name");
    if (presetup.isPresent()) {
      PresetupCode code = presetup.get();
      for (ProtocolFeature feature : ProtocolFeature.values()) {
        if (feature.bit() == code.bit() && !feature.isIn(maskedProtocolFeatures)) {
          throw collision(name, "protocol feature bit " + code.bit(), feature.name());
        }
      }
      Optional<FrontEndRequest> upstream = FrontEndRequest.upstream(code.id());
      if (upstream.isPresent() && (upstream.get().gateMask() & maskedProtocolFeatures) == 0) {
        throw collision(name, "request id " + code.id(), upstream.get().name());
      }
    }
  }

  private static IllegalArgumentException collision(String name, String number, String meaning) {
    return new IllegalArgumentException(
        "dialect " + name + ": " + number + " cannot be PRESETUP, it means " + meaning);
  }

  /**
   * A dialect with numbers that the embedder chooses, for a back end that uses the same numbers.
   *
   * @param name for messages
   * @param bit of the protocol features, 0 to 63, without an upstream meaning
   * @param id of the request, without an upstream meaning
   * @return the dialect; it masks no upstream feature
   * @throws IllegalArgumentException if one of them has an upstream meaning
   */
  public static Dialect custom(String name, int bit, int id) {
    return new Dialect(name, Optional.of(new PresetupCode(bit, id)), 0, false);
  }

  /**
   * {@return the same numbers, with the promise that a back end touches no ring before DRIVER_OK}
   * Then explicit presetup sends it the real kicks too. The patches of 2023 promise nothing. The
   * author of a back end can promise it for that back end.
   */
  public Dialect withRingsHeld() {
    return new Dialect(name, presetup, maskedProtocolFeatures, true);
  }

  /** {@return whether this dialect has PRESETUP} */
  public boolean hasPresetup() {
    return presetup.isPresent();
  }

  /** {@return the protocol feature bit of PRESETUP as a mask, or 0 when there is no PRESETUP} */
  public long presetupMask() {
    return presetup.isPresent() ? presetup.get().mask() : 0;
  }

  /**
   * {@return the number of a request on the wire; empty when this dialect does not have the
   * request}
   *
   * @param request any request, also PRESETUP
   */
  public OptionalInt idOf(FrontEndRequest request) {
    if (request == FrontEndRequest.PRESETUP) {
      return presetup.isPresent() ? OptionalInt.of(presetup.get().id()) : OptionalInt.empty();
    }
    return (request.gateMask() & maskedProtocolFeatures) == 0
        ? request.fixedId()
        : OptionalInt.empty();
  }

  /**
   * {@return the request with this number; empty when this dialect has none}
   *
   * @param id the number in a header
   */
  public Optional<FrontEndRequest> requestOf(int id) {
    if (presetup.isPresent() && presetup.get().id() == id) {
      return Optional.of(FrontEndRequest.PRESETUP);
    }
    return FrontEndRequest.upstream(id)
        .filter(request -> (request.gateMask() & maskedProtocolFeatures) == 0);
  }

  /**
   * {@return the protocol feature bits, in this dialect's meaning, that a request needs; 0 for
   * none}
   *
   * @param request a request that this dialect has
   */
  public long gateOf(FrontEndRequest request) {
    return request == FrontEndRequest.PRESETUP ? presetupMask() : request.gateMask();
  }

  /**
   * {@return protocol feature bits by name, in this dialect's meaning: "MQ|REPLY_ACK|PRESETUP", or
   * "none"}
   *
   * @param bits any bits; a bit without a name is shown by its number
   */
  public String describe(long bits) {
    if ((bits & presetupMask()) == 0) {
      return ProtocolFeature.describe(bits);
    }
    long others = bits & ~presetupMask();
    return others == 0 ? "PRESETUP" : ProtocolFeature.describe(others) + "|PRESETUP";
  }
}
