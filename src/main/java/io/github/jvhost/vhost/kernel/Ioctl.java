package io.github.jvhost.vhost.kernel;

/**
 * The ioctls that are used, with their numbers on x86-64 and arm64 (linux/vhost.h, linux/if_tun.h):
 *
 * <pre>
 *   direction, 2 bits | size of the argument, 14 bits | 0xAF or 'T', 8 bits | number, 8 bits
 * </pre>
 */
enum Ioctl {
  // ---- /dev/vhost-net ----
  GET_FEATURES(0x8008af00L),
  SET_FEATURES(0x4008af00L),
  SET_OWNER(0x0000af01L),
  SET_MEM_TABLE(0x4008af03L),
  SET_LOG_BASE(0x4008af04L),
  SET_VRING_NUM(0x4008af10L),
  SET_VRING_ADDR(0x4028af11L),
  SET_VRING_BASE(0x4008af12L),
  GET_VRING_BASE(0xc008af12L),
  SET_VRING_KICK(0x4008af20L),
  SET_VRING_CALL(0x4008af21L),
  SET_VRING_ERR(0x4008af22L),
  NET_SET_BACKEND(0x4008af30L),

  SET_BACKEND_FEATURES(0x4008af25L),
  GET_BACKEND_FEATURES(0x8008af26L),

  // ---- /dev/vhost-vdpa-N, besides ----
  VDPA_GET_DEVICE_ID(0x8004af70L),
  VDPA_GET_STATUS(0x8001af71L),
  VDPA_SET_STATUS(0x4001af72L),
  VDPA_GET_CONFIG(0x8008af73L),
  VDPA_SET_VRING_ENABLE(0x4008af75L),
  VDPA_GET_VRING_NUM(0x8002af76L),
  VDPA_GET_IOVA_RANGE(0x8010af78L),
  VDPA_GET_AS_NUM(0x8004af7aL),
  VDPA_GET_VRING_GROUP(0xc008af7bL),
  VDPA_SET_GROUP_ASID(0x4008af7cL),
  VDPA_GET_VQS_COUNT(0x8004af80L),
  VDPA_GET_GROUP_NUM(0x8004af81L),
  VDPA_SUSPEND(0x0000af7dL),
  VDPA_RESUME(0x0000af7eL),

  // ---- /dev/net/tun ----
  TUNSETIFF(0x400454caL),
  TUNGETIFF(0x800454d2L),
  TUNSETOFFLOAD(0x400454d0L),
  TUNSETVNETHDRSZ(0x400454d8L),
  TUNSETQUEUE(0x400454d9L);

  private final long number;

  Ioctl(long number) {
    this.number = number;
  }

  /** The request's number, as a long: the kernel takes it without a sign. */
  long number() {
    return number;
  }
}
