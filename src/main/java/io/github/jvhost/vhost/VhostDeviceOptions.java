package io.github.jvhost.vhost;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.ReplyDeadlines;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.plan.BackEndEvents;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * How a vhost device reaches its back end, and what it uses of it. Immutable.
 *
 * @param name of the device, in every message and error
 * @param address where the back end is, or where it connects to
 * @param dialect the message numbers that it uses; {@link Dialect#UPSTREAM} has no PRESETUP
 * @param profile what is known of it
 * @param ledger that counts descriptors
 * @param protocolFeatures bits that are negotiated if the back end offers them; the dialect adds
 *     the bit of PRESETUP
 * @param events handles the requests of the back end
 * @param observer is called with the transitions of the device, for metrics
 * @param replies how long each kind of message may take to be answered; the bounds below may end a
 *     wait earlier
 * @param connectWithin how long connecting and the first requests may take, and each question such
 *     as {@link VhostNet#backEndConfig}; a loaded DPDK was seen to take half a second for the first
 *     answer
 * @param presetupWithin how long presetup may take; the guest runs meanwhile
 * @param transitionWithin how long any other change may take, a stop window included. One change
 *     may send memory and start rings, so make it at least the sum of these two of {@code replies}
 *     if both are to count
 * @param refusesApartMemory whether a device behind an IOMMU is not started if the back end would
 *     be told adjoining I/O virtual addresses whose memory is apart; otherwise that is logged
 */
public record VhostDeviceOptions(
    String name,
    BackEndAddress address,
    Dialect dialect,
    BackEndProfile profile,
    DescriptorLedger ledger,
    long protocolFeatures,
    BackEndEvents events,
    Observer observer,
    ReplyDeadlines replies,
    Duration connectWithin,
    Duration presetupWithin,
    Duration transitionWithin,
    boolean refusesApartMemory) {

  /** Checks that all is there, that the device has a name, and that every bound is positive. */
  public VhostDeviceOptions {
    Objects.requireNonNull(name, "name");
    Objects.requireNonNull(address, "address");
    Objects.requireNonNull(dialect, "dialect");
    Objects.requireNonNull(profile, "profile");
    Objects.requireNonNull(ledger, "ledger");
    Objects.requireNonNull(events, "events");
    Objects.requireNonNull(observer, "observer");
    Objects.requireNonNull(replies, "replies");
    if (name.isBlank()) {
      throw new IllegalArgumentException("a device's name is empty");
    }
    requirePositive(connectWithin, name, "connecting");
    requirePositive(presetupWithin, name, "presetup");
    requirePositive(transitionWithin, name, "a transition");
  }

  private static void requirePositive(Duration bound, String name, String what) {
    if (!bound.isPositive()) {
      throw new IllegalArgumentException("%s: %s within %s".formatted(name, what, bound));
    }
  }

  /**
   * What is negotiated by default: all protocol features that work without the embedder's help.
   * Others (CONFIG, HOST_NOTIFIER, DEVICE_STATE, PAGEFAULT, INBAND_NOTIFICATIONS, GPA_ADDRESSES,
   * SHARED_OBJECT, SHMEM, CROSS_ENDIAN) are for embedders that use them.
   */
  public static final long DEFAULT_PROTOCOL_FEATURES =
      ProtocolFeature.maskOf(
          ProtocolFeature.MQ,
          ProtocolFeature.LOG_SHMFD,
          ProtocolFeature.RARP,
          ProtocolFeature.REPLY_ACK,
          ProtocolFeature.MTU,
          ProtocolFeature.BACKEND_REQ,
          ProtocolFeature.BACKEND_SEND_FD,
          ProtocolFeature.INFLIGHT_SHMFD,
          ProtocolFeature.RESET_DEVICE,
          ProtocolFeature.CONFIGURE_MEM_SLOTS,
          ProtocolFeature.STATUS);

  /**
   * {@return options with {@link #DEFAULT_PROTOCOL_FEATURES}, without events and observer, with the
   * usual bounds: 5 s to connect, 60 s for presetup, 120 s for a transition}
   *
   * @param name of the device, in every message and error
   * @param address where the back end is, or where it connects to
   * @param dialect the message numbers that it uses; {@link Dialect#UPSTREAM} has no PRESETUP
   * @param profile what is known of it
   * @param ledger that counts descriptors
   */
  public static VhostDeviceOptions of(
      String name,
      BackEndAddress address,
      Dialect dialect,
      BackEndProfile profile,
      DescriptorLedger ledger) {
    return new VhostDeviceOptions(
        name,
        address,
        dialect,
        profile,
        ledger,
        DEFAULT_PROTOCOL_FEATURES,
        BackEndEvents.NONE,
        Observer.NONE,
        ReplyDeadlines.DEFAULTS,
        Duration.ofSeconds(5),
        Duration.ofSeconds(60),
        Duration.ofSeconds(120),
        false);
  }

  /**
   * {@return options for a back end of which nothing is known but that it listens on a socket:
   * {@link Dialect#UPSTREAM}, {@link BackEndProfile#GENERIC}, and the usual bounds}
   *
   * @param name of the device, in every message and error
   * @param socket its path, at most 107 bytes
   * @param ledger that counts descriptors
   */
  public static VhostDeviceOptions of(String name, Path socket, DescriptorLedger ledger) {
    return of(name, socket, Dialect.UPSTREAM, BackEndProfile.GENERIC, ledger);
  }

  /**
   * {@return the usual options for a back end that listens on a socket}
   *
   * @param name of the device, in every message and error
   * @param socket its path, at most 107 bytes
   * @param dialect the message numbers that it uses; {@link Dialect#UPSTREAM} has no PRESETUP
   * @param profile what is known of it
   * @param ledger that counts descriptors
   */
  public static VhostDeviceOptions of(
      String name, Path socket, Dialect dialect, BackEndProfile profile, DescriptorLedger ledger) {
    return of(name, new BackEndAddress.Socket(socket), dialect, profile, ledger);
  }

  /** The longest that any transition may take. */
  Duration longest() {
    return presetupWithin.compareTo(transitionWithin) > 0 ? presetupWithin : transitionWithin;
  }

  /**
   * {@return the same with another dialect}
   *
   * @param other one with PRESETUP, for a back end that has it
   */
  public VhostDeviceOptions withDialect(Dialect other) {
    return with(to -> to.dialect = other);
  }

  /**
   * {@return the same for a back end of which more is known}
   *
   * @param known what is known of it
   */
  public VhostDeviceOptions withProfile(BackEndProfile known) {
    return with(to -> to.profile = known);
  }

  /**
   * {@return the same with other protocol features}
   *
   * @param bits all that are negotiated if the back end offers them; the dialect adds the bit of
   *     PRESETUP
   */
  public VhostDeviceOptions withProtocolFeatures(long bits) {
    return with(to -> to.protocolFeatures = bits);
  }

  /**
   * {@return the same with one more protocol feature}
   *
   * @param feature negotiated if the back end offers it
   */
  public VhostDeviceOptions with(ProtocolFeature feature) {
    return withProtocolFeatures(protocolFeatures | feature.mask());
  }

  /**
   * {@return the same with one protocol feature fewer}
   *
   * @param feature not negotiated, even if the back end offers it
   */
  public VhostDeviceOptions without(ProtocolFeature feature) {
    return withProtocolFeatures(protocolFeatures & ~feature.mask());
  }

  /**
   * {@return the same device at another back end}
   *
   * @param elsewhere where that back end is, or where it connects to
   */
  public VhostDeviceOptions at(BackEndAddress elsewhere) {
    return with(to -> to.address = elsewhere);
  }

  /**
   * {@return the same with another handler of the back end's requests}
   *
   * @param listener in place of the one before; {@link BackEndEvents#NONE} refuses everything
   */
  public VhostDeviceOptions withEvents(BackEndEvents listener) {
    return with(to -> to.events = listener);
  }

  /**
   * {@return the same with another observer}
   *
   * @param listener in place of the one before; {@link Observer#NONE} does nothing
   */
  public VhostDeviceOptions withObserver(Observer listener) {
    return with(to -> to.observer = listener);
  }

  /**
   * {@return the same with other bounds for single answers}
   *
   * @param bounds how long each kind of message may take to be answered
   */
  public VhostDeviceOptions withReplies(ReplyDeadlines bounds) {
    return with(to -> to.replies = bounds);
  }

  /**
   * {@return the same with other bounds for whole transitions}
   *
   * @param connect how long connecting and the first requests may take
   * @param presetup how long presetup may take
   * @param transition how long any other change may take, a stop window included
   */
  public VhostDeviceOptions withBounds(Duration connect, Duration presetup, Duration transition) {
    return with(to -> {
      to.connectWithin = connect;
      to.presetupWithin = presetup;
      to.transitionWithin = transition;
    });
  }

  /**
   * {@return the same, but a device behind an IOMMU is not started if the back end would be told
   * adjoining I/O virtual addresses whose memory is apart} DPDK takes such memory for one piece,
   * and may write behind the first part, where the guest has mapped nothing. What the guest maps so
   * while the device runs is logged all the same, and refused at the next start.
   */
  public VhostDeviceOptions refusingApartMemory() {
    return with(to -> to.refusesApartMemory = true);
  }

  private VhostDeviceOptions with(Consumer<Draft> change) {
    var draft = new Draft();
    change.accept(draft);
    return draft.made();
  }

  /** A copy in which one option is changed. */
  private final class Draft {
    private BackEndAddress address = address();
    private Dialect dialect = dialect();
    private BackEndProfile profile = profile();
    private long protocolFeatures = protocolFeatures();
    private BackEndEvents events = events();
    private Observer observer = observer();
    private ReplyDeadlines replies = replies();
    private Duration connectWithin = connectWithin();
    private Duration presetupWithin = presetupWithin();
    private Duration transitionWithin = transitionWithin();
    private boolean refusesApartMemory = refusesApartMemory();

    private VhostDeviceOptions made() {
      return new VhostDeviceOptions(
          name,
          address,
          dialect,
          profile,
          ledger,
          protocolFeatures,
          events,
          observer,
          replies,
          connectWithin,
          presetupWithin,
          transitionWithin,
          refusesApartMemory);
    }
  }
}
