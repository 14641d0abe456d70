package io.github.jvhost.virtio;

import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestAddressException;
import java.nio.ByteOrder;

/**
 * Serves a split or packed control ring in guest memory. It does not trust the guest: it checks
 * indexes, chains, lengths and addresses, and throws {@link BrokenRingException} when one is
 * invalid. It completes each command before it takes the next.
 *
 * <p>Only the device's owner uses it, for one call of {@link #serve}.
 */
abstract sealed class ControlRing permits SplitControlRing, PackedControlRing {
  /** Executes a command and returns the byte of the answer. */
  interface Commands {
    int execute(int commandClass, int command, byte[] data);
  }

  /** The guest broke the rules of the ring. */
  static final class BrokenRingException extends Exception {
    private static final long serialVersionUID = 1L;

    BrokenRingException(String message) {
      super(message);
    }
  }

  /**
   * The most commands of one call. So a guest that adds commands all the time cannot keep its
   * device busy for ever.
   */
  static final int MAX_BATCH = 4096;

  /** The most entries of an indirect table. One chain may use all of them. */
  static final int MAX_INDIRECT = VirtioNet.MAX_QUEUE_SIZE;

  /** Bytes of a descriptor, split or packed. */
  static final int DESCRIPTOR = 16;

  /** The chain has another descriptor. */
  static final int NEXT = 1;

  /** The device writes the buffer. */
  static final int WRITE = 2;

  /** The buffer is a table of descriptors. */
  static final int INDIRECT = 4;

  final DeviceMemory memory;
  final QueueState queue;
  final boolean eventIndex;
  final ControlChain chain;
  private final boolean indirect;
  private int completed;

  ControlRing(DeviceMemory memory, QueueState queue, long features) {
    this.memory = memory;
    this.queue = queue;
    this.indirect = NetFeature.INDIRECT_DESC.in(features);
    this.eventIndex = NetFeature.EVENT_IDX.in(features);
    this.chain = new ControlChain(memory);
  }

  /**
   * Makes the kind of ring that the driver negotiated.
   *
   * @param order byte order of a split ring; a packed ring is little-endian
   */
  static ControlRing of(DeviceMemory memory, QueueState queue, long features, ByteOrder order) {
    return queue.next().isPacked()
        ? new PackedControlRing(memory, queue, features)
        : new SplitControlRing(memory, queue, features, order);
  }

  /** Completes the available commands, at most {@link #MAX_BATCH}. */
  final void serve(Commands commands) throws BrokenRingException {
    try {
      begin();
      while (completed < MAX_BATCH) {
        if (available()) {
          serveOne(commands);
          completed++;
        } else if (!askForNotification()) {
          return;
        }
      }
    } catch (GuestAddressException e) {
      throw new BrokenRingException(String.valueOf(e.getMessage()));
    }
  }

  /** How many commands were completed, also if the ring broke afterwards. */
  final int completed() {
    return completed;
  }

  /** The next index of the ring. */
  abstract RingIndex next();

  /** Reads the state of the ring, before the first command. */
  abstract void begin() throws BrokenRingException;

  /** Whether a command is available. */
  abstract boolean available() throws BrokenRingException;

  /** Executes the next command and returns its descriptors to the driver. */
  abstract void serveOne(Commands commands) throws BrokenRingException;

  /**
   * Asks the driver, in the ring, to notify the device of new commands. Returns whether the driver
   * may have added commands before it could see that.
   */
  abstract boolean askForNotification() throws BrokenRingException;

  /** Checks a descriptor that points to a table. Returns how many entries the table has. */
  final int indirectEntries(long length, int flags) throws BrokenRingException {
    long entries = length / DESCRIPTOR;
    if (!indirect) {
      throw new BrokenRingException("an indirect table was not negotiated");
    }
    if ((flags & (NEXT | WRITE)) != 0
        || length % DESCRIPTOR != 0
        || entries == 0
        || entries > MAX_INDIRECT
        || chain.begun()) {
      throw new BrokenRingException("an indirect table is malformed");
    }
    return (int) entries;
  }
}
