package io.github.jvhost.vhost.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.virtio.ControlCommand;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.time.Duration;

/**
 * The control queue of a vDPA device (virtio 1.2, 5.1.6.5). The driver does not see it: it is a
 * split ring in memory of this process, in an address space that has nothing else.
 *
 * <pre>
 *   0x000 descriptors   0: class, command, data (the device reads)    1: ack (the device writes)
 *   0x400 available     0x800 used     0xc00 class, command, data     0xfc0 ack
 * </pre>
 *
 * <p>One command at a time. One thread at a time.
 */
final class ControlQueue implements AutoCloseable {
  /** The address space; the guest's is 0. */
  static final int SPACE = 1;

  private static final long ADDRESS = 1 << 20;
  private static final long SIZE = 4096;
  private static final int ENTRIES = 16;
  private static final long AVAILABLE = 0x400;
  private static final long USED = 0x800;
  private static final long COMMAND = 0xc00;
  private static final long ACK = 0xfc0;
  private static final int MOST_DATA = 0x200;

  // Flags of a descriptor.
  private static final int NEXT = 1;
  private static final int WRITE = 2;

  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INDEX = SHORT.varHandle();

  private final DeviceFile file;
  private final String path;
  private final OwnMemory memory;
  private final EventFd kick;
  private final EventFd call;
  private final Duration answeredWithin;
  private int next;

  private ControlQueue(
      DeviceFile file,
      String path,
      Duration answeredWithin,
      OwnMemory memory,
      EventFd kick,
      EventFd call) {
    this.file = file;
    this.path = path;
    this.answeredWithin = answeredWithin;
    this.memory = memory;
    this.kick = kick;
    this.call = call;
  }

  /**
   * Makes the ring. If that fails, nothing is left open.
   *
   * @param answeredWithin how long the device may take for a command
   */
  static ControlQueue create(
      DeviceFile file, String path, Duration answeredWithin, DescriptorLedger ledger) {
    OwnMemory memory = OwnMemory.at(ADDRESS, SIZE, "control queue", ledger);
    EventFd kick = null;
    try {
      kick = EventFd.create(ledger, "control queue kick");
      EventFd call = EventFd.create(ledger, "control queue call");
      return new ControlQueue(file, path, answeredWithin, memory, kick, call);
    } catch (RuntimeException e) {
      if (kick != null) {
        kick.close();
      }
      memory.close();
      throw e;
    }
  }

  OwnMemory memory() {
    return memory;
  }

  /** Signalled when the device has a command. */
  EventFd kick() {
    return kick;
  }

  /** Is signalled when the device has answered. */
  EventFd call() {
    return call;
  }

  /**
   * Sets the ring up, once features are settled. A reset of the device forgets it.
   *
   * @param ring its index
   * @throws BackEndRefusedException if a ring of the guest would be moved with it
   */
  void setUp(int ring) {
    memory.mapping().segment().fill((byte) 0);
    next = 0;
    String doing = "set up the control queue of " + path;
    int group = file.ring(Ioctl.VDPA_GET_VRING_GROUP, ring, 0, doing);
    if (group == file.ring(Ioctl.VDPA_GET_VRING_GROUP, 0, 0, doing)) {
      throw new BackEndRefusedException(
          "%s: its ring %d, the control queue, is not in a group of its own with these features"
              .formatted(path, ring));
    }
    file.ring(Ioctl.VDPA_SET_GROUP_ASID, group, SPACE, doing);
    file.ring(Ioctl.SET_VRING_NUM, ring, ENTRIES, doing);
    file.ring(Ioctl.SET_VRING_BASE, ring, 0, doing);
    file.address(ring, 0, ADDRESS, ADDRESS + USED, ADDRESS + AVAILABLE, 0, doing);
    file.ring(Ioctl.SET_VRING_CALL, ring, call.descriptor().number(), doing);
    file.ring(Ioctl.SET_VRING_KICK, ring, kick.descriptor().number(), doing);
    file.ring(Ioctl.VDPA_SET_VRING_ENABLE, ring, 1, doing);
  }

  /**
   * Gives the device, which runs, a command, and waits for its answer.
   *
   * @throws UnchangedException if the answer is an error
   * @throws DeadlineException if there is none
   */
  void command(ControlCommand command) {
    byte[] data = command.data();
    if (data.length > MOST_DATA) {
      throw new IllegalArgumentException(command + " has " + data.length + " bytes");
    }
    MemorySegment page = memory.mapping().segment();
    page.set(JAVA_BYTE, COMMAND, (byte) command.commandClass());
    page.set(JAVA_BYTE, COMMAND + 1, (byte) command.command());
    MemorySegment.copy(data, 0, page, JAVA_BYTE, COMMAND + 2, data.length);
    page.set(JAVA_BYTE, ACK, (byte) -1);
    descriptor(page, 0, COMMAND, 2 + data.length, NEXT);
    descriptor(page, 1, ACK, 1, WRITE);
    int slot = next % ENTRIES;
    page.set(SHORT, AVAILABLE + 4 + 2L * slot, (short) 0);
    page.set(SHORT, AVAILABLE + 4 + 2L * ENTRIES, (short) next); // used event: call at the next
    next = (next + 1) & 0xffff;
    INDEX.setRelease(page, AVAILABLE + 2, (short) next);
    kick.signal();
    Deadline deadline = Deadline.after(answeredWithin);
    boolean late = false;
    while ((short) INDEX.getAcquire(page, USED + 2) != (short) next) {
      if (late) {
        throw new DeadlineException(
            "%s has not answered on its control queue within %s: %s"
                .formatted(path, answeredWithin, command));
      }
      late = call.await(deadline) == 0 || deadline.expired(); // it may call, and use nothing
    }
    int answer = page.get(JAVA_BYTE, ACK);
    if (answer != 0) {
      throw new UnchangedException(
          "%s answered with %d on its control queue: %s".formatted(path, answer, command),
          Recovery.RECONNECT);
    }
  }

  private static void descriptor(MemorySegment page, int index, long at, int length, int flags) {
    long to = 16L * index;
    page.set(JAVA_LONG, to, ADDRESS + at);
    page.set(JAVA_INT, to + 8, length);
    page.set(SHORT, to + 12, (short) flags);
    page.set(SHORT, to + 14, (short) (index + 1));
  }

  @Override
  public void close() {
    kick.close();
    call.close();
    memory.close();
  }
}
