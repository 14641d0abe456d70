package io.github.jvhost.embedding;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.virtio.NetFeature;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Arrays;

/**
 * The guest's driver, which knows registers, memory and interrupts, and nothing of this library.
 */
public final class TinyDriver {
  private static final int HEADER = 12;
  private static final int FRAME = 60;
  private static final int RING_SIZE = 64;
  private static final long RX = 0x10000;
  private static final long TX = SmallVmm.HIGH + 0x20000;
  private static final long CONTROL = 0x40000;
  private static final long COMMAND = 0x50000;
  private static final long ANSWER = 0x50100;
  private static final long AVAIL = 0x1000;
  private static final long USED = 0x2000;
  private static final long BUFFERS = 0x100000;

  private final OwnVm vm;
  private final GuestMemory memory;
  private final SmallVmm vmm;
  private int frames;

  public TinyDriver(OwnVm vm, SmallVmm vmm) {
    this.vm = vm;
    this.memory = vmm.memory;
    this.vmm = vmm;
  }

  /** As Linux does it: virtio 1.2, 3.1.1 and 4.2.3. */
  public void boot() {
    write(0x70, 0);
    write(0x70, 1);
    write(0x70, 3);
    write(0x14, 1);
    long offered = (long) read(0x10) << 32;
    write(0x14, 0);
    offered |= Integer.toUnsignedLong(read(0x10));
    long wanted =
        offered
            & NetFeature.maskOf(
                NetFeature.VERSION_1, NetFeature.MAC, NetFeature.STATUS, NetFeature.CTRL_VQ);
    write(0x24, 1);
    write(0x20, (int) (wanted >>> 32));
    write(0x24, 0);
    write(0x20, (int) wanted);
    write(0x70, 3 | 8);
    setUp(0, RX);
    setUp(1, TX);
    write(0x70, 3 | 8 | 4);
  }

  /** Resets the device, and forgets its rings. {@link #boot} begins anew. */
  public void reset() {
    write(0x70, 0);
    for (long ring : new long[] {RX, TX}) {
      memory.putInt(ring + AVAIL, 0);
      memory.putInt(ring + USED, 0);
    }
    frames = 0;
  }

  /** Puts a command into the control ring, and does not notify: the guest was paused before. */
  void leaveCommand(int... command) {
    beginControlRing();
    finishControlRing();
    putCommand(command);
  }

  /** Writes half of what makes the control ring. */
  void beginControlRing() {
    begin(2, CONTROL);
  }

  /** Writes the other half, without selecting the ring again. */
  void finishControlRing() {
    finish(CONTROL);
  }

  /** Puts a command into the control ring, which is set up. */
  void putCommand(int... command) {
    for (int i = 0; i < command.length; i++) {
      memory.putByte(COMMAND + i, (byte) command[i]);
    }
    memory.putByte(ANSWER, (byte) -1);
    memory.putLong(CONTROL, COMMAND);
    memory.putInt(CONTROL + 8, command.length);
    memory.putShort(CONTROL + 12, (short) 1); // the next one belongs to it
    memory.putShort(CONTROL + 14, (short) 1);
    memory.putLong(CONTROL + 16, ANSWER);
    memory.putInt(CONTROL + 24, 1);
    memory.putShort(CONTROL + 28, (short) 2);
    memory.putShortRelease(CONTROL + AVAIL + 2, (short) 1);
  }

  /** What the command was answered; -1: nothing yet. */
  byte answer() {
    return memory.getShortAcquire(CONTROL + USED + 2) == 0 ? -1 : memory.getByte(ANSWER);
  }

  private void setUp(int ring, long at) {
    begin(ring, at);
    finish(at);
  }

  private void begin(int ring, long at) {
    write(0x30, ring);
    write(0x38, RING_SIZE);
    write(0x80, (int) at);
    write(0x84, (int) (at >>> 32));
    write(0x90, (int) (at + AVAIL));
  }

  private void finish(long at) {
    write(0x94, (int) ((at + AVAIL) >>> 32));
    write(0xa0, (int) (at + USED));
    write(0xa4, (int) ((at + USED) >>> 32));
    write(0x44, 1);
  }

  /** Goes on where another one stopped, on another host. */
  TinyDriver movedTo(OwnVm there, SmallVmm vmm) {
    var moved = new TinyDriver(there, vmm);
    moved.frames = frames;
    return moved;
  }

  /** Sends a frame, and returns the one that comes back: it ends with what was sent. */
  public byte[] echo(int mark) {
    byte[] frame = new byte[HEADER + FRAME];
    Arrays.fill(frame, HEADER, HEADER + 6, (byte) 0xbb);
    Arrays.fill(frame, HEADER + 6, HEADER + 12, (byte) 0xaa);
    Arrays.fill(frame, HEADER + 14, frame.length, (byte) mark);
    memory.copyIn(BUFFERS, frame);
    post(RX, BUFFERS + 0x1000, 2048, 2);
    post(TX, BUFFERS, frame.length, 0);
    frames++;
    vm.kick(0);
    vm.kick(1);
    Deadline soon = Deadline.after(Duration.ofSeconds(20));
    while (memory.getShortAcquire(RX + USED + 2) != (short) frames) {
      if (vm.interrupts(0).await(soon) == 0) {
        throw new AssertionError("frame " + frames + " did not come back");
      }
    }
    byte[] received = new byte[FRAME];
    memory.copyOut(BUFFERS + 0x1000 + HEADER, received);
    return received;
  }

  private void post(long ring, long buffer, int length, int flags) {
    int entry = frames % RING_SIZE;
    memory.putLong(ring + 16L * entry, buffer);
    memory.putInt(ring + 16L * entry + 8, length);
    memory.putShort(ring + 16L * entry + 12, (short) flags);
    memory.putShort(ring + AVAIL + 4 + 2L * entry, (short) entry);
    memory.putShortRelease(ring + AVAIL + 2, (short) (frames + 1));
  }

  int read(int offset) {
    return ByteBuffer.wrap(bytes(offset, 4)).order(ByteOrder.LITTLE_ENDIAN).getInt();
  }

  byte[] bytes(int offset, int length) {
    byte[] bytes = new byte[length];
    vmm.mmio(SmallVmm.NET0 + offset, bytes, false);
    return bytes;
  }

  void write(int offset, int value) {
    byte[] bytes = new byte[4];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(value);
    vmm.mmio(SmallVmm.NET0 + offset, bytes, true);
  }
}
