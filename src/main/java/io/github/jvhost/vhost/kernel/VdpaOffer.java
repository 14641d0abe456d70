package io.github.jvhost.vhost.kernel;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import java.util.Optional;

/**
 * What a vDPA device for networks offers.
 *
 * @param features virtio's
 * @param backEndFeatures of {@link KernelFeature}
 * @param rings how many it has, its control queue included
 * @param queuePairs that can be used: more than one only with a control queue of ours, by which the
 *     device is told how many
 * @param mac the address that it was made with; empty: it takes packets to any
 * @param maxMtu the MTU that it was made with; {@link BackEndCapabilities#NO_MAX_MTU} if it does
 *     not say
 * @param maxRingSize entries of its largest ring
 * @param groups of rings, each of which has one address space
 * @param addressSpaces how many there are
 * @param controlGroup the group in which the control queue is alone, so that its owner can give it
 *     memory that the guest does not see; -1 if there is none
 * @param lastAddress the last address at which it can find memory
 */
public record VdpaOffer(
    long features,
    long backEndFeatures,
    int rings,
    int queuePairs,
    Optional<MacAddress> mac,
    int maxMtu,
    int maxRingSize,
    int groups,
    int addressSpaces,
    int controlGroup,
    long lastAddress)
    implements KernelOffer {
  private static final int NET = 1;

  /** What a device has to agree to, whatever its driver is. */
  private static final long OURS = NetFeature.ACCESS_PLATFORM.mask();

  /** For a control queue of ours. */
  private static final long OF_CONTROL =
      NetFeature.maskOf(NetFeature.CTRL_VQ, NetFeature.CTRL_MAC_ADDR);

  private static final int NO_GROUP = -1;

  // Where a network device's configuration has how many pairs it has, and its MTU (virtio 1.2,
  // 5.1.4).
  private static final int CONFIG_MAX_PAIRS = 8;
  private static final int CONFIG_MTU = 10;

  /** What is asked for. The others change nothing here. */
  private static final long USED =
      KernelFeature.maskOf(
          KernelFeature.IOTLB_MSG_V2,
          KernelFeature.IOTLB_BATCH,
          KernelFeature.IOTLB_ASID,
          KernelFeature.SUSPEND,
          KernelFeature.RESUME,
          KernelFeature.ENABLE_AFTER_DRIVER_OK,
          KernelFeature.IOTLB_PERSIST);

  /** Of a device that loses nothing at a reset, and has no control queue. */
  static VdpaOffer ofRehearsal() {
    long noFeatures = 0;
    int none = 0;
    return new VdpaOffer(
        noFeatures,
        KernelFeature.IOTLB_PERSIST.mask(),
        none,
        1,
        Optional.empty(),
        BackEndCapabilities.NO_MAX_MTU,
        none,
        1,
        1,
        NO_GROUP,
        -1);
  }

  static boolean isVdpa(DeviceFile file) {
    return file.tryCall(Ioctl.VDPA_GET_DEVICE_ID, file.scratch().address()) >= 0;
  }

  /**
   * Asks an open device, and becomes its owner: before that it says nothing of its rings.
   *
   * @param path for errors
   */
  static VdpaOffer ask(DeviceFile file, String path) {
    String doing = "ask " + path;
    if (file.getInt(Ioctl.VDPA_GET_DEVICE_ID, doing) != NET) {
      throw new VhostException(path + " is no network device", Recovery.GIVE_UP);
    }
    long features = file.getLong(Ioctl.GET_FEATURES, doing);
    long offered = file.getLong(Ioctl.GET_BACKEND_FEATURES, doing);
    file.setLong(Ioctl.SET_BACKEND_FEATURES, offered & USED, "negotiate with " + path);
    file.value(Ioctl.SET_OWNER, 0, "become the owner of " + path);
    int maxRingSize = file.getShort(Ioctl.VDPA_GET_VRING_NUM, doing);
    // Linux before 6.2 does not know these questions.
    int rings = file.getIntOr(Ioctl.VDPA_GET_VQS_COUNT, 0);
    int groups = file.getIntOr(Ioctl.VDPA_GET_GROUP_NUM, 1);
    int spaces = file.getIntOr(Ioctl.VDPA_GET_AS_NUM, 1);
    boolean mayControl =
        spaces > 1 && NetFeature.CTRL_VQ.in(features) && NetFeature.ACCESS_PLATFORM.in(features);
    int pairs =
        NetFeature.MQ.in(features) ? Math.max(1, file.configShort(CONFIG_MAX_PAIRS, path)) : 1;
    int control = mayControl ? controlGroup(file, pairs, features, doing) : NO_GROUP;
    return new VdpaOffer(
        features,
        offered,
        rings,
        control == NO_GROUP ? 1 : pairs,
        mac(file, path, features),
        NetFeature.MTU.in(features)
            ? file.configShort(CONFIG_MTU, path)
            : BackEndCapabilities.NO_MAX_MTU,
        maxRingSize,
        groups,
        spaces,
        control,
        lastAddress(file));
  }

  private static Optional<MacAddress> mac(DeviceFile file, String path, long features) {
    return NetFeature.MAC.in(features)
        ? Optional.of(MacAddress.of(file.config(0, MacAddress.SIZE, path), 0))
            .filter(mac -> !mac.equals(MacAddress.ZERO))
        : Optional.empty();
  }

  /**
   * The group of the control queue, if no ring of the guest is in it. Where the queue is depends on
   * whether MQ was negotiated (virtio 1.2, 5.1.2), so a device with more than one pair is asked
   * when it was, and reset.
   */
  private static int controlGroup(DeviceFile file, int pairs, long features, String doing) {
    if (pairs == 1) {
      return groupOfItsOwn(file, 2);
    }
    file.setByte(Ioctl.VDPA_SET_STATUS, DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER, doing);
    file.setLong(Ioctl.SET_FEATURES, features, doing);
    file.setByte(
        Ioctl.VDPA_SET_STATUS,
        DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK,
        doing);
    int group = groupOfItsOwn(file, 2 * pairs);
    file.setByte(Ioctl.VDPA_SET_STATUS, 0, doing);
    return group;
  }

  private static int groupOfItsOwn(DeviceFile file, int control) {
    int group = file.tryRing(Ioctl.VDPA_GET_VRING_GROUP, control);
    boolean alone = group >= 0;
    for (int ring = 0; ring < control; ring++) {
      alone &= file.tryRing(Ioctl.VDPA_GET_VRING_GROUP, ring) != group;
    }
    return alone ? group : NO_GROUP;
  }

  private static long lastAddress(DeviceFile file) {
    boolean known = file.tryCall(Ioctl.VDPA_GET_IOVA_RANGE, file.scratch().address()) >= 0;
    return known ? file.scratch().get(JAVA_LONG, Long.BYTES) : -1;
  }

  /** {@return whether the control queue can be used by this process, beside the guest} */
  public boolean takesCommands() {
    return controlGroup != NO_GROUP
        && has(KernelFeature.IOTLB_ASID)
        && has(KernelFeature.ENABLE_AFTER_DRIVER_OK);
  }

  /** {@return whether it can serve a guest with another address than it was made with} */
  public boolean takesAddress() {
    return takesCommands() && NetFeature.CTRL_MAC_ADDR.in(features);
  }

  /**
   * What the device is told to have agreed on. GUEST_ANNOUNCE, for example, is the device model's,
   * and a strict device fails when it is told what it does not offer.
   *
   * @param negotiated with the driver
   */
  long agreed(long negotiated) {
    return features & (negotiated | (takesCommands() ? OURS | OF_CONTROL : OURS));
  }

  /** {@return whether where a ring stopped can be learnt, and a stopped device can go on} */
  public boolean canBeSuspended() {
    return KernelFeature.SUSPEND.in(backEndFeatures) && KernelFeature.RESUME.in(backEndFeatures);
  }

  boolean has(KernelFeature feature) {
    return feature.in(backEndFeatures & USED);
  }

  /** {@return why this library cannot serve a guest with it; empty: it can} */
  public String whyNot() {
    if (!NetFeature.ACCESS_PLATFORM.in(features)) {
      return "it does not offer ACCESS_PLATFORM, without which it takes no guest memory";
    }
    if (!KernelFeature.IOTLB_MSG_V2.in(backEndFeatures) || !canBeSuspended()) {
      return "it offers no SUSPEND or no RESUME (backend features 0x%x): where its rings stop cannot be learnt"
          .formatted(backEndFeatures);
    }
    return "";
  }
}
