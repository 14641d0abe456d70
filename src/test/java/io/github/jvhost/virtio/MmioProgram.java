package io.github.jvhost.virtio;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;

/**
 * What a driver may do, at random: each step as accesses to registers, and as calls of the model.
 */
final class MmioProgram {
  private static final int[] STATUS = {0, 1, 3, 0xb, 0xb, 0xf, 0xf, 0xf, 7, 0x80, 0x4f, 0x100};
  private static final int[] SIZES = {0, 1, 64, 64, 64, 128, 256, 100, 1024, 0xffff};

  /** One access of four bytes. */
  record Write(int offset, int value) {}

  /** The same, to two devices. */
  record Step(String what, List<Write> writes, Consumer<VirtioNet> calls) {}

  private final Random random;
  private final VirtioNet described;

  MmioProgram(Random random, VirtioNet described) {
    this.random = random;
    this.described = described;
  }

  static VirtioNet device(Random random) {
    long features =
        VirtioNetBuilder.DEFAULT_FEATURES
            | (random.nextBoolean() ? NetFeature.RING_RESET.mask() : 0)
            | (random.nextBoolean() ? NetFeature.RING_PACKED.mask() : 0);
    return VirtioNet.builder("net0")
        .maxQueuePairs(random.nextInt(1, 4))
        .deviceFeatures(features)
        .build();
  }

  Step next() {
    int ring = random.nextInt(0, described.maxQueuePairs() * 2 + 2);
    return switch (random.nextInt(12)) {
      case 0, 1 -> status(STATUS[random.nextInt(STATUS.length)]);
      case 2 -> features(features());
      case 3, 4, 5 -> setUp(ring, SIZES[random.nextInt(SIZES.length)]);
      case 6 -> halfWritten(ring);
      case 7 -> takeDown(ring);
      case 8 -> reset(ring);
      case 9 -> acknowledgeInterrupt(random.nextInt(4));
      case 10 -> selectFeatures(random.nextInt(-1, 3));
      default -> select(random.nextBoolean() ? ring : random.nextInt());
    };
  }

  long features() {
    long offered = described.deviceFeatures();
    return switch (random.nextInt(6)) {
      case 0 -> offered & random.nextLong();
      case 1 -> random.nextLong();
      case 2 -> offered & ~NetFeature.VERSION_1.mask();
      case 3 -> offered | 1L << random.nextInt(64);
      case 4 -> offered & ~NetFeature.MQ.mask();
      default -> offered;
    };
  }

  private static Step status(int value) {
    return new Step(
        "status " + value, List.of(new Write(0x70, value)), nic -> nic.setStatus(value));
  }

  private static Step features(long bits) {
    List<Write> writes =
        List.of(
            new Write(0x24, 1),
            new Write(0x20, (int) (bits >>> 32)),
            new Write(0x24, 0),
            new Write(0x20, (int) bits));
    return new Step(
        "features " + Long.toHexString(bits),
        writes,
        nic -> {
          selects(nic, ((TransportState.Mmio) nic.transport()).hostFeaturesSelect(), 0);
          nic.setDriverFeatures(bits);
        });
  }

  private static Step selectFeatures(int half) {
    return new Step(
        "features select " + half,
        List.of(new Write(0x14, half), new Write(0x24, half)),
        nic -> selects(nic, half, half));
  }

  private static void selects(VirtioNet nic, int host, int guest) {
    nic.transport(new TransportState.Mmio(true, host, guest, 0, 0));
  }

  private static Step select(int ring) {
    return new Step("select " + ring, List.of(new Write(0x30, ring)), nic -> nic.selectQueue(ring));
  }

  private List<Write> registers(int ring, int size, long desc, long avail, long used) {
    List<Write> writes = new ArrayList<>();
    writes.add(new Write(0x38, size));
    long[] addresses = {desc, avail, used};
    for (int i = 0; i < addresses.length; i++) {
      writes.add(new Write(0x80 + 0x10 * i, (int) addresses[i]));
      writes.add(new Write(0x84 + 0x10 * i, (int) (addresses[i] >>> 32)));
    }
    Collections.shuffle(writes, random);
    writes.addFirst(new Write(0x30, ring));
    return writes;
  }

  private long address() {
    return switch (random.nextInt(8)) {
      case 0 -> random.nextLong();
      case 1 -> 0;
      default -> random.nextLong(1L << 40) & ~0xfL;
    };
  }

  private Step halfWritten(int ring) {
    int size = random.nextInt(0x10000);
    long desc = random.nextLong();
    long avail = random.nextLong();
    long used = random.nextLong();
    return new Step(
        "registers of ring " + ring,
        registers(ring, size, desc, avail, used),
        nic -> {
          nic.selectQueue(ring);
          if (ring < nic.queueCount()) {
            nic.queueRegisters(ring, new SavedQueue.Proxy(size, false, desc, avail, used));
          }
        });
  }

  private Step setUp(int ring, int size) {
    long desc = address();
    long avail = address();
    long used = address();
    List<Write> writes = registers(ring, size, desc, avail, used);
    writes.add(new Write(0x44, 1));
    return new Step(
        "ring %d of %d at %x %x %x".formatted(ring, size, desc, avail, used),
        writes,
        nic -> {
          nic.selectQueue(ring);
          if (ring < nic.queueCount()) {
            nic.queueRegisters(ring, new SavedQueue.Proxy(size, false, desc, avail, used));
            nic.configureQueue(ring, size, desc, avail, used);
          }
        });
  }

  private static Step takeDown(int ring) {
    return new Step(
        "no ring " + ring,
        List.of(new Write(0x30, ring), new Write(0x44, 0)),
        nic -> {
          nic.selectQueue(ring);
          if (ring < nic.queueCount()) {
            nic.configureQueue(ring, nic.ringSize(ring), 0, 0, 0);
          }
        });
  }

  private static Step reset(int ring) {
    return new Step(
        "reset of ring " + ring,
        List.of(new Write(0x30, ring), new Write(0xc0, 1)),
        nic -> {
          nic.selectQueue(ring);
          if (ring < nic.queueCount()) {
            nic.resetQueue(ring);
          }
        });
  }

  private static Step acknowledgeInterrupt(int bits) {
    return new Step(
        "interrupt ACK " + bits,
        List.of(new Write(0x64, bits)),
        nic -> nic.clearInterruptStatus(bits));
  }
}
