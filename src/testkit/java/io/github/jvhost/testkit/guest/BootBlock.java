package io.github.jvhost.testkit.guest;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.virtio.MacAddress;
import java.time.Duration;

/**
 * The guest's first block in memory, from which all its other data is found.
 *
 * <pre>
 *    0  allocator: cursor, end        48 period in ns   80 buffers per ring
 *   16  magic                         56 peer MAC       84 mailbox places
 *   24  number of NICs                64 peer IP        88 pages of the working set
 *   28  1 = pings are sent            68 first IP       92 pages changed at each tick
 *   32  ticks                         72 queue pairs    96 payload bytes
 *   40  gpa of the working set        76 ring size     104 wanted features
 *                                                     112 number of the DMA mode
 *  128  NIC blocks, 128 bytes each
 * </pre>
 */
final class BootBlock {
  private static final long MAGIC = 0x3174_7365_7567_766aL;
  private static final long NICS = 128;
  private static final int MAX_NICS = 512;

  private final GuestRam ram;
  private final long base;
  private final GuestSettings settings;

  private BootBlock(GuestRam ram, long base, GuestSettings settings) {
    this.ram = ram;
    this.base = base;
    this.settings = settings;
  }

  /** Creates a guest's boot block and writes the settings. {@link #complete} writes the magic. */
  static BootBlock create(GuestMemory memory, int nics, GuestSettings settings) {
    long base = settings.base();
    GuestRam ram = new GuestRam(memory, base);
    if (nics < 1 || nics > MAX_NICS) {
      throw new IllegalArgumentException("a guest with " + nics + " NICs");
    }
    long reserved = NICS + (long) NicBlock.BYTES * nics;
    ram.zero(base, reserved);
    ram.format(reserved);
    ram.putInt(base + 24, nics);
    ram.putInt(base + 28, 1);
    ram.putLong(base + 48, settings.period().toNanos());
    ram.putLong(base + 56, settings.peerMac().value());
    ram.putInt(base + 64, settings.peerIp().value());
    ram.putInt(base + 68, settings.firstIp().value());
    ram.putInt(base + 72, settings.queuePairs());
    ram.putInt(base + 76, settings.queueSize());
    ram.putInt(base + 80, settings.buffersPerRing());
    ram.putInt(base + 84, settings.mailboxPlaces());
    ram.putInt(base + 88, settings.workingSetPages());
    ram.putInt(base + 92, settings.changedPagesPerTick());
    ram.putInt(base + 96, settings.payloadBytes());
    ram.putLong(base + 104, settings.wantedFeatures());
    ram.putInt(base + 112, settings.dma().number);
    return new BootBlock(ram, base, settings);
  }

  /** Finds the guest that was booted in this memory, or in memory of which this is a copy. */
  static BootBlock read(GuestMemory memory, long base) {
    GuestRam ram = new GuestRam(memory, base);
    int nics = ram.getInt(base + 24);
    if (ram.getLong(base + 16) != MAGIC || nics < 1 || nics > MAX_NICS) {
      throw ram.failure("no guest was booted here");
    }
    try {
      GuestSettings settings =
          new GuestSettings(
              base,
              Duration.ofNanos(ram.getLong(base + 48)),
              new MacAddress(ram.getLong(base + 56)),
              new Ipv4Address(ram.getInt(base + 64)),
              new Ipv4Address(ram.getInt(base + 68)),
              ram.getInt(base + 72),
              ram.getInt(base + 76),
              ram.getInt(base + 80),
              ram.getInt(base + 84),
              ram.getInt(base + 88),
              ram.getInt(base + 92),
              ram.getInt(base + 96),
              ram.getLong(base + 104),
              DmaMode.of(ram.getInt(base + 112)));
      return new BootBlock(ram, base, settings);
    } catch (IllegalArgumentException e) {
      throw ram.failure("the boot block is damaged: " + e.getMessage());
    }
  }

  void complete(long workingSet) {
    ram.putLong(base + 40, workingSet);
    ram.putLong(base + 16, MAGIC);
  }

  GuestRam ram() {
    return ram;
  }

  GuestSettings settings() {
    return settings;
  }

  NicBlock nic(int index) {
    return new NicBlock(ram, base + NICS + (long) NicBlock.BYTES * index);
  }

  int nics() {
    return ram.getInt(base + 24);
  }

  long workingSet() {
    return ram.getLong(base + 40);
  }

  MacAddress peerMac() {
    return settings.peerMac();
  }

  Ipv4Address peerIp() {
    return settings.peerIp();
  }

  boolean sending() {
    return ram.getInt(base + 28) != 0;
  }

  void sending(boolean on) {
    ram.putInt(base + 28, on ? 1 : 0);
  }

  long ticks() {
    return ram.getLong(base + 32);
  }

  void ticks(long value) {
    ram.putLong(base + 32, value);
  }
}
