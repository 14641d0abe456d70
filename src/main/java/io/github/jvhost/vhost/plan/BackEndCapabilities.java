package io.github.jvhost.vhost.plan;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.SavedQueue;
import java.util.Optional;

/**
 * What one connected back end can do: what was negotiated with it, and what its profile knows.
 *
 * @param features that it offered (virtio's and vhost's)
 * @param protocol how it is sent what it is to hold
 * @param maxQueuePairs that it serves
 * @param memoryRegions how many regions it takes: in one table, or one by one ({@link
 *     #hasMemorySlots})
 * @param profile what is known of it beyond what it says
 */
public record BackEndCapabilities(
    long features,
    BackEndProtocol protocol,
    int maxQueuePairs,
    int memoryRegions,
    BackEndProfile profile) {
  /** The largest MTU that there is: the field has 16 bits. */
  public static final int NO_MAX_MTU = 0xffff;

  /**
   * A vhost-user back end.
   *
   * @param features that it offered (virtio's and vhost's)
   * @param protocolFeatures that were acknowledged
   * @param maxQueuePairs that it serves
   * @param memorySlots how many memory regions it takes one by one; not used without
   *     CONFIGURE_MEM_SLOTS: then it takes a table of at most eight regions
   * @param dialect the message numbers that the connection uses
   * @param profile what is known of it beyond the wire
   */
  public BackEndCapabilities(
      long features,
      long protocolFeatures,
      int maxQueuePairs,
      int memorySlots,
      Dialect dialect,
      BackEndProfile profile) {
    this(
        features,
        new BackEndProtocol.VhostUser(protocolFeatures, dialect),
        maxQueuePairs,
        memorySlots,
        profile);
  }

  /**
   * A vhost-user back end that is sent guest memory as one table.
   *
   * @param features that it offered (virtio's and vhost's)
   * @param protocolFeatures that were acknowledged, without CONFIGURE_MEM_SLOTS
   * @param maxQueuePairs that it serves
   * @param dialect the message numbers that the connection uses
   * @param profile what is known of it beyond the wire
   */
  public BackEndCapabilities(
      long features,
      long protocolFeatures,
      int maxQueuePairs,
      Dialect dialect,
      BackEndProfile profile) {
    this(features, protocolFeatures, maxQueuePairs, 0, dialect, profile);
  }

  /** {@return the protocol features that were acknowledged; 0 of a back end without messages} */
  public long protocolFeatures() {
    return protocol instanceof BackEndProtocol.VhostUser user ? user.features() : 0;
  }

  /**
   * {@return the message numbers that the connection uses; {@link Dialect#UPSTREAM}, which has no
   * PRESETUP, of a back end without messages}
   */
  public Dialect dialect() {
    return protocol instanceof BackEndProtocol.VhostUser user ? user.dialect() : Dialect.UPSTREAM;
  }

  /** {@return how many memory slots a vhost-user back end has; 0: it takes a table} */
  public int memorySlots() {
    return hasMemorySlots() ? memoryRegions : 0;
  }

  /**
   * {@return whether a protocol feature was negotiated, in its upstream meaning} A feature that the
   * dialect masks is never negotiated, even where PRESETUP uses its bit.
   *
   * @param feature any
   */
  public boolean has(ProtocolFeature feature) {
    return feature.isIn(protocolFeatures() & ~dialect().maskedProtocolFeatures());
  }

  /** {@return whether the back end knows of the virtio status byte} */
  public boolean hasStatus() {
    return has(ProtocolFeature.STATUS) || protocol instanceof BackEndProtocol.VhostVdpa;
  }

  /** {@return whether single requests can be acknowledged} */
  public boolean hasReplyAck() {
    return has(ProtocolFeature.REPLY_ACK);
  }

  /** {@return whether rings are switched one by one; without it SET_FEATURES enables them all} */
  public boolean hasRingEnable() {
    return (features & VhostFeature.PROTOCOL_FEATURES) != 0;
  }

  /** {@return whether the back end can log the pages that it writes} */
  public boolean canLog() {
    boolean takesLog =
        switch (protocol) {
          case BackEndProtocol.VhostUser _ -> has(ProtocolFeature.LOG_SHMFD);
          case BackEndProtocol.VhostNet _ -> true;
          case BackEndProtocol.VhostVdpa _ -> false;
        };
    return takesLog && (features & VhostFeature.LOG_ALL) != 0;
  }

  /** {@return what a back end needs so that it {@link #canLog}, for messages} */
  public String whatLoggingNeeds() {
    return switch (protocol) {
      case BackEndProtocol.VhostUser _ -> "VHOST_F_LOG_ALL, LOG_SHMFD";
      case BackEndProtocol.VhostNet _ -> "VHOST_F_LOG_ALL";
      case BackEndProtocol.VhostVdpa _ ->
          "no vDPA device can, so its guest leaves only while it is stopped"
              + " (MigrationOptions.copyingStopped); it can arrive while it runs";
    };
  }

  /** {@return whether memory is sent region by region and not as a table} */
  public boolean hasMemorySlots() {
    return has(ProtocolFeature.CONFIGURE_MEM_SLOTS)
        || protocol instanceof BackEndProtocol.VhostVdpa;
  }

  /** {@return how many memory regions it takes} */
  public int maxMemoryRegions() {
    boolean table = protocol instanceof BackEndProtocol.VhostUser && !hasMemorySlots();
    return table ? MemoryTablePayload.MAX_REGIONS : memoryRegions;
  }

  /** {@return how many entries a ring may have} */
  public int maxRingSize() {
    return protocol instanceof BackEndProtocol.VhostVdpa vdpa
        ? vdpa.maxRingSize()
        : SavedQueue.MAX_SIZE;
  }

  /** {@return the largest MTU that the device may show its driver, in bytes} */
  public int maxMtu() {
    return protocol instanceof BackEndProtocol.VhostVdpa vdpa ? vdpa.maxMtu() : NO_MAX_MTU;
  }

  /** {@return whether the back end can be sent the guest's MTU} */
  public boolean hasMtu() {
    return has(ProtocolFeature.MTU);
  }

  /** {@return whether the back end can record its requests in flight in a region} */
  public boolean hasInflightRegion() {
    return has(ProtocolFeature.INFLIGHT_SHMFD);
  }

  /** {@return whether the back end takes the byte order of a legacy driver's rings} */
  public boolean hasRingOrder() {
    return has(ProtocolFeature.CROSS_ENDIAN);
  }

  /** {@return whether the device can be reset by one step} */
  public boolean hasReset() {
    return has(ProtocolFeature.RESET_DEVICE);
  }

  /** {@return whether the back end has a state of its own, which can be saved and loaded} */
  public boolean hasOwnState() {
    return has(ProtocolFeature.DEVICE_STATE);
  }

  /** {@return whether kicks and calls go as messages} */
  public boolean notifiesInBand() {
    return has(ProtocolFeature.INBAND_NOTIFICATIONS);
  }

  /** {@return whether ring and user addresses are sent as guest addresses} */
  public boolean usesGuestAddresses() {
    return has(ProtocolFeature.GPA_ADDRESSES);
  }

  /**
   * {@return whether the back end can serve a device behind an IOMMU} It has to know I/O virtual
   * addresses, ask on a channel of its own, and acknowledge that it has forgotten a translation.
   */
  public boolean translates() {
    return (features & VhostFeature.IOMMU_PLATFORM) != 0
        && has(ProtocolFeature.BACKEND_REQ)
        && hasReplyAck();
  }

  /**
   * {@return whether explicit presetup is possible} A vhost-user back end has negotiated its
   * message, and the status byte too. A vDPA device is started early on rings of ours instead.
   */
  public boolean hasPresetup() {
    return switch (protocol) {
      case BackEndProtocol.VhostUser _ -> hasPresetupMessage();
      case BackEndProtocol.VhostNet _ -> false;
      case BackEndProtocol.VhostVdpa vdpa -> vdpa.startsEarly();
    };
  }

  private boolean hasPresetupMessage() {
    return hasStatus()
        && dialect().hasPresetup()
        && (protocolFeatures() & dialect().presetupMask()) != 0;
  }

  /** {@return the address that the device has before it is told one; empty: it needs none} */
  public Optional<MacAddress> ownMac() {
    return protocol instanceof BackEndProtocol.VhostVdpa vdpa ? vdpa.mac() : Optional.empty();
  }

  /** {@return the one address with which the device receives anything; empty: any} */
  public Optional<MacAddress> fixedMac() {
    return NetFeature.CTRL_MAC_ADDR.in(commands()) ? Optional.empty() : ownMac();
  }

  /** {@return whether the device has a control queue that this process can use beside the guest} */
  public boolean hasControlQueue() {
    return protocol instanceof BackEndProtocol.VhostVdpa vdpa && vdpa.hasControlQueue();
  }

  /**
   * {@return the ring of the control queue} It is behind the rings of all pairs that the device
   * has, or of one where MQ was not negotiated (virtio 1.2, 5.1.2).
   *
   * @param features that were negotiated
   */
  public int controlRing(long features) {
    return 2 * (NetFeature.MQ.in(features) ? maxQueuePairs : 1);
  }

  /**
   * {@return the features with whose commands the back end can be told what a driver sets on its
   * control queue} A vhost-user back end is told no commands.
   */
  public long commands() {
    return switch (protocol) {
      case BackEndProtocol.VhostUser _ -> 0;
      case BackEndProtocol.VhostNet _ -> NetFeature.CTRL_GUEST_OFFLOADS.mask();
      case BackEndProtocol.VhostVdpa vdpa ->
          vdpa.hasControlQueue() ? features & (NetFeature.COMMANDS | NetFeature.MQ.mask()) : 0;
    };
  }

  /**
   * {@return whether a ring is served only after a step that says so ({@link Fact#SERVED})} With a
   * vhost-user back end a kick starts a ring, or DRIVER_OK does.
   */
  public boolean startsRingsByStep() {
    return !(protocol instanceof BackEndProtocol.VhostUser);
  }

  /**
   * {@return whether a device that runs takes neither size, base nor address of any ring, also of
   * one that does not run} It is stopped for that.
   */
  public boolean freezesRings() {
    return protocol instanceof BackEndProtocol.VhostVdpa;
  }

  /**
   * {@return the features of a device that are not offered with this back end, because a command on
   * the control queue would have to reach it, and cannot}
   */
  public long uncontrolled() {
    return protocol instanceof BackEndProtocol.VhostVdpa ? NetFeature.COMMANDS & ~commands() : 0;
  }

  /**
   * {@return whether addresses and kick may be sent while guest memory is not complete: the back
   * end touches no ring before a later step}
   */
  public boolean holdsRings() {
    return startsRingsByStep() || (hasStatus() && profile.holdsRingsUntilDriverOk());
  }

  /**
   * {@return whether the back end touches no ring before DRIVER_OK} PRESETUP requires this of a
   * back end. Of any other back end the profile says it.
   */
  public boolean holdsRingsUntilDriverOk() {
    return hasStatus() && (hasPresetupMessage() || profile.holdsRingsUntilDriverOk());
  }
}
