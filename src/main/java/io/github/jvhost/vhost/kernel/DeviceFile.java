package io.github.jvhost.vhost.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Linux;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * An open device file, and the ioctls on it. It owns its descriptor. One thread at a time; the
 * scratch memory for arguments is its own, so that a call allocates nothing.
 */
class DeviceFile implements AutoCloseable {
  /** Enough for a memory table of 512 regions. */
  private static final long ARGUMENT_BYTES = 8 + 32 * 512;

  private final OwnedDescriptor descriptor;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment state = arena.allocate(Linux.CALL_STATE);
  private final MemorySegment argument = arena.allocate(ARGUMENT_BYTES, Long.BYTES);
  private final boolean deaf;
  private int calls;

  /** Takes over a descriptor. */
  DeviceFile(OwnedDescriptor descriptor) {
    this(descriptor, false);
  }

  private DeviceFile(OwnedDescriptor descriptor, boolean deaf) {
    this.descriptor = descriptor;
    this.deaf = deaf;
  }

  /**
   * A file for rehearsals. Each ioctl is made, and refused, and counts as if it had worked: an
   * answer is what the argument was. Nothing is written.
   */
  static DeviceFile deaf(DescriptorLedger ledger) {
    return new DeviceFile(EventFd.create(ledger, "rehearsed device").descriptor(), true);
  }

  boolean isDeaf() {
    return deaf;
  }

  /**
   * Opens a device for reading and writing.
   *
   * @throws io.github.jvhost.VhostException with what to do if it is not there or not allowed
   */
  static DeviceFile open(DescriptorLedger ledger, String path) {
    int number = Linux.open(path, Linux.O_RDWR | Linux.O_NONBLOCK);
    if (number < 0) {
      throw Errno.openFailure(path, -number);
    }
    return new DeviceFile(OwnedDescriptor.adopt(ledger, number, path));
  }

  int number() {
    return descriptor.number();
  }

  /** Returns how many ioctls were made. */
  int calls() {
    return calls;
  }

  /** Returns the result of an ioctl, or the negated errno. */
  int tryCall(Ioctl call, long value) {
    calls++;
    int result = Linux.ioctl(state, descriptor.number(), call.number(), value);
    return deaf ? 0 : result;
  }

  /** An ioctl whose argument is a number and no address. */
  void value(Ioctl call, long value, String doing) {
    int result = tryCall(call, value);
    if (result < 0) {
      throw Errno.failure(doing, call, -result);
    }
  }

  /** The argument that {@link #argument} passes; its content is of the call before. */
  MemorySegment scratch() {
    return argument;
  }

  /** An ioctl whose argument is in {@link #scratch}. */
  void argument(Ioctl call, String doing) {
    value(call, argument.address(), doing);
  }

  /** An ioctl that returns a u64. */
  long getLong(Ioctl call, String doing) {
    argument(call, doing);
    return argument.get(JAVA_LONG, 0);
  }

  /** An ioctl that returns a u32. */
  int getInt(Ioctl call, String doing) {
    argument(call, doing);
    return argument.get(JAVA_INT, 0);
  }

  /** The same, or another value where the kernel does not know the ioctl. */
  int getIntOr(Ioctl call, int otherwise) {
    return tryCall(call, argument.address()) < 0 ? otherwise : argument.get(JAVA_INT, 0);
  }

  /** An ioctl that returns a u16. */
  int getShort(Ioctl call, String doing) {
    argument(call, doing);
    return argument.get(JAVA_SHORT, 0) & 0xffff;
  }

  /** An ioctl that returns a u8. */
  int getByte(Ioctl call, String doing) {
    argument(call, doing);
    return argument.get(JAVA_BYTE, 0) & 0xff;
  }

  /**
   * Bytes of the configuration of a vDPA device.
   *
   * @param offset of the first, from the beginning
   * @param path for errors
   */
  byte[] config(int offset, int size, String path) {
    argument.set(JAVA_INT, 0, offset);
    argument.set(JAVA_INT, Integer.BYTES, size);
    argument(Ioctl.VDPA_GET_CONFIG, "read the configuration of " + path);
    return argument.asSlice(2 * Integer.BYTES, size).toArray(JAVA_BYTE);
  }

  /** The same for a number of two bytes. */
  int configShort(int offset, String path) {
    byte[] field = config(offset, Short.BYTES, path);
    return (field[0] & 0xff) | (field[1] & 0xff) << 8;
  }

  void setByte(Ioctl call, int value, String doing) {
    argument.set(JAVA_BYTE, 0, (byte) value);
    argument(call, doing);
  }

  void setLong(Ioctl call, long value, String doing) {
    argument.set(JAVA_LONG, 0, value);
    argument(call, doing);
  }

  void setInt(Ioctl call, int value, String doing) {
    argument.set(JAVA_INT, 0, value);
    argument(call, doing);
  }

  /**
   * An ioctl about a ring with one number: struct vhost_vring_state, or vhost_vring_file where the
   * number is a descriptor.
   *
   * @return the number that came back
   */
  int ring(Ioctl call, int ring, int number, String doing) {
    argument.set(JAVA_INT, 0, ring);
    argument.set(JAVA_INT, Integer.BYTES, number);
    argument(call, doing);
    return argument.get(JAVA_INT, Integer.BYTES);
  }

  /**
   * SET_VRING_ADDR.
   *
   * @param flags 1: writes to the used ring are logged
   */
  void address(
      int ring, int flags, long descriptors, long used, long available, long log, String doing) {
    argument.set(JAVA_INT, 0, ring);
    argument.set(JAVA_INT, 4, flags);
    argument.set(JAVA_LONG, 8, descriptors);
    argument.set(JAVA_LONG, 16, used);
    argument.set(JAVA_LONG, 24, available);
    argument.set(JAVA_LONG, 32, log);
    argument(Ioctl.SET_VRING_ADDR, doing);
  }

  /** The same question where a refusal is an answer: the number, or the negated errno. */
  int tryRing(Ioctl call, int ring) {
    argument.set(JAVA_INT, 0, ring);
    argument.set(JAVA_INT, Integer.BYTES, 0);
    int result = tryCall(call, argument.address());
    return result < 0 ? result : argument.get(JAVA_INT, Integer.BYTES);
  }

  /** Writes bytes to the file; false if it took none or not all. */
  boolean write(byte[] bytes) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment from = scratch.allocate(bytes.length);
      from.copyFrom(MemorySegment.ofArray(bytes));
      return write(from);
    }
  }

  /** The same with bytes outside of the heap. */
  boolean write(MemorySegment bytes) {
    calls++;
    return deaf || Linux.write(state, descriptor.number(), bytes) == bytes.byteSize();
  }

  @Override
  public void close() {
    if (descriptor.isOpen()) {
      descriptor.close();
      arena.close();
    }
  }
}
