package io.github.jvhost.virtio;

import io.github.jvhost.memory.GuestAddressException;
import io.github.jvhost.memory.GuestMemory;
import java.nio.ByteOrder;

/**
 * Serves a control ring from guest memory, split or packed. Nothing that is read there is believed:
 * indexes, chains, lengths and addresses are checked, and what is wrong ends as {@link
 * BrokenRingException}. Each command is completed before the next one is taken.
 *
 * <p>For the device's owner, and for one call of {@link #serve}.
 */
abstract sealed class ControlRing permits SplitControlRing, PackedControlRing {
  /** Executes a command and gives the byte that answers it. */
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
   * The most commands of one call, so that a guest that goes on adding cannot keep its device busy
   * for ever.
   */
  static final int MAX_BATCH = 4096;

  /** The most entries of an indirect table, of which one chain can use all. */
  static final int MAX_INDIRECT = VirtioNet.MAX_QUEUE_SIZE;

  /** Bytes of a descriptor of either kind. */
  static final int DESCRIPTOR = 16;

  /** The chain goes on. */
  static final int NEXT = 1;

  /** The buffer is there to be written. */
  static final int WRITE = 2;

  /** The buffer is a table of descriptors. */
  static final int INDIRECT = 4;

  final GuestMemory memory;
  final QueueState queue;
  final boolean eventIndex;
  final ControlChain chain;
  private final boolean indirect;
  private int completed;

  ControlRing(GuestMemory memory, QueueState queue, long features) {
    this.memory = memory;
    this.queue = queue;
    this.indirect = NetFeature.INDIRECT_DESC.in(features);
    this.eventIndex = NetFeature.EVENT_IDX.in(features);
    this.chain = new ControlChain(memory);
  }

  /**
   * The ring as its driver uses it.
   *
   * @param order of the numbers in a split ring; those of a packed one are little-endian
   */
  static ControlRing of(GuestMemory memory, QueueState queue, long features, ByteOrder order) {
    return queue.next().isPacked()
        ? new PackedControlRing(memory, queue, features)
        : new SplitControlRing(memory, queue, features, order);
  }

  /** Completes what is available, at most {@link #MAX_BATCH} commands. */
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

  /** How many commands were completed, also when the ring broke afterwards. */
  final int completed() {
    return completed;
  }

  /** Where the ring goes on. */
  abstract RingIndex next();

  /** A look at what the ring holds before the first command. */
  abstract void begin() throws BrokenRingException;

  /** Whether there is a command. */
  abstract boolean available() throws BrokenRingException;

  /** Executes the command that is there and gives its descriptors back. */
  abstract void serveOne(Commands commands) throws BrokenRingException;

  /**
   * Says in the ring that the driver is to notify when it adds more. Whether more came in before it
   * could see that.
   */
  abstract boolean askForNotification() throws BrokenRingException;

  /** Checks a descriptor that points to a table; how many entries the table has. */
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
