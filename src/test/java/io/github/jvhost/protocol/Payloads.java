package io.github.jvhost.protocol;

import io.github.jvhost.Bytes;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.UUID;

/** Random payloads of each layout, all within range. */
final class Payloads {
  private Payloads() {}

  static Payload random(PayloadKind kind, SplittableRandom random) {
    return switch (kind) {
      case NONE, IGNORED -> NoPayload.INSTANCE;
      case U64 -> new U64(random.nextLong());
      case VRING_STATE -> new VringState(random.nextInt(256), random.nextInt());
      case VRING_ADDRESS ->
          new VringAddress(
              random.nextInt(256),
              random.nextInt(2),
              random.nextLong(),
              random.nextLong(),
              random.nextLong(),
              random.nextLong());
      case VRING_DESCRIPTOR -> new VringDescriptor(random.nextInt(256), random.nextBoolean());
      case MEMORY_TABLE -> {
        List<MemoryRegionPayload> regions = new ArrayList<>();
        for (int n = random.nextInt(9); n > 0; n--) {
          regions.add(region(random));
        }
        yield new MemoryTablePayload(regions);
      }
      case SINGLE_REGION -> new SingleRegion(region(random));
      case LOG -> new LogRegion(1 + (random.nextLong() >>> 2), random.nextLong() >>> 1);
      case IOTLB ->
          new Iotlb(
              random.nextLong(),
              random.nextLong(),
              random.nextLong(),
              random.nextInt(4),
              1 + random.nextInt(4));
      case CONFIG -> {
        int length = random.nextInt(257);
        byte[] content = new byte[length];
        random.nextBytes(content);
        yield new ConfigSpace(
            random.nextInt(257 - length), random.nextInt(2), Bytes.copyOf(content));
      }
      case VRING_AREA ->
          new VringArea(
              random.nextInt(256),
              random.nextBoolean(),
              random.nextLong() >>> 1,
              random.nextLong() >>> 1);
      case INFLIGHT ->
          new Inflight(
              random.nextLong() >>> 1,
              random.nextLong() >>> 1,
              random.nextInt(65536),
              random.nextInt(65536));
      case SHARED_OBJECT -> new SharedObject(new UUID(random.nextLong(), random.nextLong()));
      case DEVICE_STATE ->
          new DeviceStateTransfer(
              random.nextBoolean()
                  ? DeviceStateTransfer.Direction.SAVE
                  : DeviceStateTransfer.Direction.LOAD);
      case MMAP ->
          new MmapRequest(
              random.nextInt(256),
              random.nextLong() >>> 1,
              random.nextLong() >>> 1,
              random.nextLong() >>> 1,
              random.nextBoolean());
      case SHMEM_CONFIG -> {
        List<Long> sizes = new ArrayList<>();
        for (int i = 0; i < ShmemConfig.ENTRIES; i++) {
          sizes.add(random.nextBoolean() ? 0 : random.nextLong());
        }
        yield new ShmemConfig(sizes);
      }
      case OPAQUE -> {
        byte[] content = new byte[random.nextInt(2000)];
        random.nextBytes(content);
        yield new OpaquePayload(Bytes.copyOf(content));
      }
    };
  }

  private static MemoryRegionPayload region(SplittableRandom random) {
    return new MemoryRegionPayload(
        random.nextLong() >>> 1,
        1 + (random.nextLong() >>> 2),
        random.nextLong() >>> 1,
        random.nextLong() >>> 1);
  }
}
