package io.github.jvhost.virtio;

import io.github.jvhost.memory.GuestAddressException;
import io.github.jvhost.memory.GuestMemory;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/**
 * Serves a split control ring from guest memory (virtio 1.2, 2.7). Nothing that is read there is
 * believed: indexes, chains, lengths and addresses are checked, and what is wrong ends as {@link
 * BrokenRingException}.
 *
 * <pre>
 *   desc   16 bytes each:  | addr u64 | len u32 | flags u16 | next u16 |    flags: 1 NEXT, 2 WRITE, 4 INDIRECT
 *   avail:                 | flags u16 | idx u16 | ring[size] u16 | used_event u16 |
 *   used:                  | flags u16 | idx u16 | ring[size] { id u32, len u32 } | avail_event u16 |
 *
 *   a command's chain:     readable: class, command, data ...   ->   writable: ack
 * </pre>
 */
final class ControlRing {
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

  /** The most bytes of a command that are looked at; a longer one is answered with an error. */
  static final int MAX_COMMAND = 64 * 1024;

  /**
   * The most commands of one call, so that a guest that goes on adding cannot keep its device busy
   * for ever.
   */
  static final int MAX_BATCH = 4096;

  private static final int DESCRIPTOR = 16;
  private static final int NEXT = 1;
  private static final int WRITE = 2;
  private static final int INDIRECT = 4;

  private final GuestMemory memory;
  private final QueueState queue;
  private final boolean indirect;
  private final boolean eventIndex;

  private int next;
  private int completed;

  // The chain at hand.
  private final ByteArrayOutputStream readable = new ByteArrayOutputStream();
  private long readableLength;
  private long ackAddress;
  private boolean writableSeen;

  ControlRing(GuestMemory memory, QueueState queue, long features) {
    this.memory = memory;
    this.queue = queue;
    this.next = queue.next().avail();
    this.indirect = NetFeature.INDIRECT_DESC.in(features);
    this.eventIndex = NetFeature.EVENT_IDX.in(features);
  }

  /** How many commands were completed, also when the ring broke afterwards. */
  int completed() {
    return completed;
  }

  /** The index at which the ring goes on. */
  int next() {
    return next;
  }

  /** Completes what is available. */
  void serve(Commands commands) throws BrokenRingException {
    try {
      serveChecked(commands);
    } catch (GuestAddressException e) {
      throw new BrokenRingException("an address outside of guest memory: " + e.getMessage());
    }
  }

  private void serveChecked(Commands commands) throws BrokenRingException {
    // The control queue completes each command before it takes the next one: used and available
    // index are the same number,
    // but the ring in guest memory has the last word.
    int used = memory.getShort(queue.used() + 2) & 0xFFFF;
    while (completed < MAX_BATCH) {
      int pending = (available() - next) & 0xFFFF;
      if (pending == 0) {
        if (!eventIndex || !askForNotification()) {
          break;
        }
        continue;
      }
      if (pending > queue.size()) {
        throw new BrokenRingException(pending + " commands available in a ring of " + queue.size());
      }
      int slot = next % queue.size();
      int head = memory.getShort(queue.avail() + 4 + 2L * slot) & 0xFFFF;
      int ack = executeChain(head, commands);
      memory.putByte(ackAddress, (byte) ack);
      long element = queue.used() + 4 + 8L * (used % queue.size());
      memory.putInt(element, head);
      memory.putInt(element + 4, 1);
      used = (used + 1) & 0xFFFF;
      // Release: whoever sees the index sees the element and the answer.
      memory.putShortRelease(queue.used() + 2, (short) used);
      next = (next + 1) & 0xFFFF;
      completed++;
    }
  }

  private int available() {
    return memory.getShortAcquire(queue.avail() + 2) & 0xFFFF;
  }

  /**
   * With EVENT_IDX the driver notifies only at the index written here. Whether more came in before
   * it could see that.
   */
  private boolean askForNotification() {
    memory.putShortRelease(queue.used() + 4 + 8L * queue.size(), (short) next);
    VarHandle.fullFence();
    return available() != next;
  }

  private int executeChain(int head, Commands commands) throws BrokenRingException {
    readable.reset();
    readableLength = 0;
    writableSeen = false;
    walk(queue.desc(), queue.size(), head, indirect);
    if (readableLength < 2) {
      throw new BrokenRingException(
          "a command of " + readableLength + " bytes has no room for class and command");
    }
    if (!writableSeen) {
      throw new BrokenRingException("a command has no room for its answer");
    }
    if (readableLength > MAX_COMMAND) {
      return NetControl.ERR;
    }
    byte[] command = readable.toByteArray();
    byte[] data = Arrays.copyOfRange(command, 2, command.length);
    return commands.execute(command[0] & 0xFF, command[1] & 0xFF, data);
  }

  private void walk(long table, int entries, int first, boolean indirectAllowed)
      throws BrokenRingException {
    int index = first;
    for (int hops = 0; hops < entries; hops++) {
      if (index >= entries) {
        throw new BrokenRingException("descriptor " + index + " of " + entries);
      }
      long at = table + (long) DESCRIPTOR * index;
      long address = memory.getLong(at);
      long length = Integer.toUnsignedLong(memory.getInt(at + 8));
      int flags = memory.getShort(at + 12) & 0xFFFF;
      if (length == 0) {
        throw new BrokenRingException("descriptor " + index + " has no length");
      }
      if ((flags & INDIRECT) != 0) {
        walkIndirect(address, length, flags, indirectAllowed);
        return;
      }
      take(address, length, (flags & WRITE) != 0);
      if ((flags & NEXT) == 0) {
        return;
      }
      index = memory.getShort(at + 14) & 0xFFFF;
    }
    throw new BrokenRingException("a chain is longer than its table of " + entries + ": a loop");
  }

  private void walkIndirect(long address, long length, int flags, boolean allowed)
      throws BrokenRingException {
    long entries = length / DESCRIPTOR;
    if (!allowed
        || (flags & (NEXT | WRITE)) != 0
        || length % DESCRIPTOR != 0
        || entries > SavedQueue.MAX_SIZE
        || readableLength != 0
        || writableSeen) {
      throw new BrokenRingException(
          allowed ? "an indirect table is malformed" : "an indirect table was not negotiated");
    }
    walk(address, (int) entries, 0, false);
  }

  private void take(long address, long length, boolean writable) throws BrokenRingException {
    if (writable) {
      // The address is checked here, before the command has an effect.
      memory.slice(address, length);
      if (!writableSeen) {
        writableSeen = true;
        ackAddress = address;
      }
      return;
    }
    if (writableSeen) {
      throw new BrokenRingException("a readable descriptor follows a writable one");
    }
    MemorySegment segment = memory.slice(address, length);
    readableLength += length;
    if (readableLength <= MAX_COMMAND) {
      readable.writeBytes(segment.toArray(ValueLayout.JAVA_BYTE));
    }
  }
}
