package io.github.jvhost.realbackend;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Linux;
import io.github.jvhost.virtio.NetFeature;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A vDPA device whose process is this one (VDUSE, linux/vduse.h), and says nothing: who opens it
 * waits in the kernel, without an end.
 */
final class SilentVdpaDevice implements AutoCloseable {
  static final String NAME = "silent";

  private static final long SET_API_VERSION = 0x40088101L;
  private static final long CREATE_DEV = 0x41508102L;
  private static final long VQ_SETUP = 0x40208114L;
  private static final int NET = 1;
  private static final int RINGS = 2;

  /** Struct vduse_dev_request, and vduse_dev_response. */
  private static final long MESSAGE = 152;

  private static final int FAILED = 1;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment state = arena.allocate(Linux.CALL_STATE);
  private final OwnedDescriptor control;
  private final OwnedDescriptor device;

  SilentVdpaDevice(DescriptorLedger ledger) {
    control = open(ledger, "/dev/vduse/control");
    ioctl(control, SET_API_VERSION, arena.allocate(JAVA_LONG));
    MemorySegment config = arena.allocate(336 + 8, 8);
    config.setString(0, NAME);
    config.set(JAVA_INT, 260, NET);
    config.set(JAVA_LONG, 264, NetFeature.maskOf(NetFeature.VERSION_1, NetFeature.ACCESS_PLATFORM));
    config.set(JAVA_INT, 272, RINGS);
    config.set(JAVA_INT, 276, 4096); // alignment of a ring
    config.set(JAVA_INT, 332, 8); // bytes of the configuration space
    ioctl(control, CREATE_DEV, config);
    device = open(ledger, "/dev/vduse/" + NAME);
    for (int ring = 0; ring < RINGS; ring++) {
      MemorySegment setup = arena.allocate(32, 4);
      setup.set(JAVA_INT, 0, ring);
      setup.set(JAVA_INT, 4, 256);
      ioctl(device, VQ_SETUP, setup);
    }
    try {
      Files.writeString(Path.of("/sys/class/vduse", NAME, "msg_timeout"), "0");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static OwnedDescriptor open(DescriptorLedger ledger, String path) {
    int number = Linux.open(path, Linux.O_RDWR | Linux.O_NONBLOCK);
    assertThat(number).as(path).isPositive();
    return OwnedDescriptor.adopt(ledger, number, path);
  }

  private void ioctl(OwnedDescriptor file, long number, MemorySegment argument) {
    assertThat(Linux.ioctl(state, file.number(), number, argument.address()))
        .as("ioctl %x", number)
        .isNotNegative();
  }

  /** Says to who waits that the device has failed. */
  void fail() {
    MemorySegment request = arena.allocate(MESSAGE, 8);
    Await.until(
        () -> "somebody waits for the device",
        () -> Linux.read(state, device.number(), request) == MESSAGE);
    MemorySegment response = arena.allocate(MESSAGE, 8);
    response.set(JAVA_INT, 0, request.get(JAVA_INT, 4));
    response.set(JAVA_INT, 4, FAILED);
    assertThat(Linux.write(state, device.number(), response)).isEqualTo(MESSAGE);
  }

  @Override
  public void close() {
    device.close();
    control.close();
    arena.close();
  }
}
