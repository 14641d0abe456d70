package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * Announces a transfer of the back end's own state. The only phase that exists is 0: all rings are
 * stopped.
 *
 * <pre>
 *    0            4        8
 *   +------------+--------+
 *   | direction  | phase  |     direction: 0 save, 1 load
 *   +------------+--------+
 * </pre>
 *
 * @param direction who sends the state
 */
public record DeviceStateTransfer(Direction direction) implements Payload {
  /** Bytes on the wire. */
  public static final int SIZE = 8;

  /** Mask of the answer, which is a number: these bits are 0 when the back end agrees. */
  public static final long ERROR_MASK = 0xFF;

  /** Bit of the answer: no descriptor is attached, and both sides use the front end's pipe. */
  public static final long NO_DESCRIPTOR = 0x100;

  /** Who sends the state to whom. */
  public enum Direction {
    /** From the back end to the front end. */
    SAVE,
    /** From the front end to the back end. */
    LOAD
  }

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    Wire.putInt(out, direction == Direction.LOAD ? 1 : 0);
    Wire.putInt(out, 0);
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.DEVICE_STATE;
  }

  /**
   * Reads a peer's bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; {@link #SIZE} is expected
   * @return the announced transfer
   * @throws ProtocolException if the size is another or a value is unknown
   */
  static DeviceStateTransfer decode(ByteBuf in, int size) {
    Wire.exactly("device state transfer", in, size, SIZE);
    int direction = Wire.getInt(in);
    int phase = Wire.getInt(in);
    if (direction < 0 || direction > 1 || phase != 0) {
      throw new ProtocolException(
          "decoding device state transfer: direction "
              + Integer.toUnsignedString(direction)
              + ", phase "
              + Integer.toUnsignedString(phase));
    }
    return new DeviceStateTransfer(direction == 1 ? Direction.LOAD : Direction.SAVE);
  }
}
