package io.github.jvhost.virtio;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DeviceMemory;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;

/**
 * The buffers of one command. They are added descriptor by descriptor. The object is used again for
 * the next command.
 *
 * <pre>
 *   readable: class, command, data ...   ->   writable: ack
 * </pre>
 */
final class ControlChain {
  /** The most bytes of a command. A longer command is answered with an error. */
  static final int MAX_COMMAND = 64 * 1024;

  private final DeviceMemory memory;
  private final ByteArrayOutputStream readable = new ByteArrayOutputStream();
  private long readableLength;
  private long ackAddress;
  private boolean writableSeen;

  ControlChain(DeviceMemory memory) {
    this.memory = memory;
  }

  /** Removes the buffers of the previous command. */
  void reset() {
    readable.reset();
    readableLength = 0;
    writableSeen = false;
  }

  /** Whether the chain has a buffer. */
  boolean begun() {
    return readableLength != 0 || writableSeen;
  }

  /** Adds a buffer. */
  void take(long address, long length, boolean writable) throws ControlRing.BrokenRingException {
    if (length == 0) {
      throw new ControlRing.BrokenRingException("a descriptor has no length");
    }
    // The address is checked before the command has an effect.
    memory.pieces(address, length, writable ? Access.WRITE : Access.READ);
    if (writable) {
      if (!writableSeen) {
        writableSeen = true;
        ackAddress = address;
      }
      return;
    }
    if (writableSeen) {
      throw new ControlRing.BrokenRingException("a readable descriptor follows a writable one");
    }
    readableLength += length;
    if (readableLength <= MAX_COMMAND) {
      readable.writeBytes(memory.read(address, (int) length));
    }
  }

  /** Executes the command and writes its answer, which is one byte. */
  void execute(ControlRing.Commands commands) throws ControlRing.BrokenRingException {
    if (readableLength < 2) {
      throw new ControlRing.BrokenRingException(
          "a command of " + readableLength + " bytes has no room for class and command");
    }
    if (!writableSeen) {
      throw new ControlRing.BrokenRingException("a command has no room for its answer");
    }
    memory.putByte(ackAddress, (byte) answer(commands));
  }

  private int answer(ControlRing.Commands commands) {
    if (readableLength > MAX_COMMAND) {
      return NetControl.ERR;
    }
    byte[] command = readable.toByteArray();
    byte[] data = Arrays.copyOfRange(command, 2, command.length);
    return commands.execute(command[0] & 0xFF, command[1] & 0xFF, data);
  }
}
