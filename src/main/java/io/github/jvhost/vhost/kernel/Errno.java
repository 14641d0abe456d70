package io.github.jvhost.vhost.kernel;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;

/**
 * What an errno of an ioctl means here, and what the caller can do. One errno means different
 * things at different ioctls, and the kernel says no more than its number.
 */
final class Errno {
  static final int EPERM = 1;
  static final int ENOENT = 2;
  static final int EIO = 5;
  static final int ENXIO = 6;
  static final int E2BIG = 7;
  static final int ENOMEM = 12;
  static final int EACCES = 13;
  static final int EFAULT = 14;
  static final int EBUSY = 16;
  static final int ENODEV = 19;
  static final int EISDIR = 21;
  static final int EINVAL = 22;
  static final int EMFILE = 24;
  static final int ENOTTY = 25;
  static final int EBADFD = 77;
  static final int ENOTSOCK = 88;
  static final int EOPNOTSUPP = 95;
  static final int ENOBUFS = 105;

  private Errno() {}

  /** The failure of an ioctl, with what it means. */
  static VhostException failure(String doing, Ioctl call, int errno) {
    return failure(doing, "ioctl " + call, errno, meaning(call, errno));
  }

  /** The failure of opening a device file. */
  static VhostException openFailure(String path, int errno) {
    String meaning =
        switch (errno) {
          case ENOENT, ENODEV, ENXIO -> "there is no such device: load its module";
          case EACCES, EPERM -> "this user may not: give it the right to read and write the file";
          case EBUSY -> "it is open already, in another process or in this one";
          case EIO -> "the device did not answer, or the process behind it";
          case EISDIR -> "it is a directory, and no device";
          case EMFILE -> "this process has too many open files: raise RLIMIT_NOFILE";
          default -> "it cannot be opened";
        };
    return failure("open " + path, "open", errno, meaning);
  }

  private static VhostException failure(String doing, String call, int errno, String meaning) {
    Recovery recovery =
        switch (errno) {
          case EBUSY, ENOMEM, EMFILE -> Recovery.RETRY;
          default -> Recovery.GIVE_UP;
        };
    return new VhostException(
        "%s: %s failed with errno %d: %s".formatted(doing, call, errno, meaning), recovery);
  }

  private static String meaning(Ioctl call, int errno) {
    return switch (call) {
      case SET_MEM_TABLE ->
          switch (errno) {
            case E2BIG ->
                "too many memory regions: raise vhost's module parameter max_mem_regions, or use"
                    + " fewer";
            default -> general(errno);
          };
      case SET_VRING_NUM ->
          errno == EINVAL ? "the size of a ring is a power of 2, at most 32768" : general(errno);
      case SET_VRING_ADDR ->
          switch (errno) {
            case EINVAL -> "the driver has not aligned its ring";
            case EFAULT -> "the ring lies outside of guest memory";
            default -> general(errno);
          };
      case NET_SET_BACKEND ->
          switch (errno) {
            case ENOTSOCK -> "the descriptor is no queue of a tap";
            case EFAULT ->
                "the ring lies outside of the guest memory that was told, or none was told";
            default -> general(errno);
          };
      case TUNSETIFF ->
          switch (errno) {
            case EPERM -> "the interface does not belong to this user";
            case EINVAL ->
                "an interface of this name has other flags: it has to be a tap, with multi_queue"
                    + " for more than one pair";
            case EBUSY -> "another process uses the interface";
            case E2BIG -> "the tap has no queue left";
            default -> general(errno);
          };
      case TUNGETIFF ->
          errno == EBADFD
              ? "its interface was removed, or its owner has not asked for one yet (TUNSETIFF)"
              : "the descriptor is no queue of a tap";
      case VDPA_GET_DEVICE_ID -> "it is no vDPA device, as /dev/vhost-vdpa-0 would be";
      default -> general(errno);
    };
  }

  private static String general(int errno) {
    return switch (errno) {
      case EPERM -> "another process has become its owner, or none has yet";
      case EBUSY -> "the ring runs, or somebody else uses the device";
      case EFAULT -> "the kernel could not use an address";
      case EINVAL -> "the kernel does not accept the value";
      case EOPNOTSUPP -> "the kernel does not offer it";
      case ENOMEM -> "the kernel has no memory for it";
      case EBADFD -> "the tap's interface was removed";
      case ENOTTY, ENOBUFS -> "this kernel does not know it";
      default -> "the kernel refused it";
    };
  }
}
