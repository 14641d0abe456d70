package io.github.jvhost.testkit;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.VringAddress;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Test aid: the device's side of one packed ring in a guest's memory, without a connection. It maps
 * the memory a second time, as a back end in another process does.
 */
public final class DeviceOnMemory implements AutoCloseable {
  private final BackEndMemory mapped;
  private final RingModel model = new RingModel(0, IotlbModel.DPDK);
  private final List<Long> descriptorWrites = new ArrayList<>();
  private final List<Long> areaWrites = new ArrayList<>();
  private final long descriptors;

  /** A device that begins at the start of a ring. */
  public DeviceOnMemory(GuestMemory memory, int size, long desc, long avail, long used) {
    List<MemoryRegion> regions = memory.table().regions();
    mapped =
        BackEndMemory.map(
            regions.stream()
                .map(r ->
                    new MemoryRegionPayload(
                        r.guestAddress(), r.size(), r.userAddress(), r.fileOffset()))
                .toList(),
            regions.stream().map(r -> r.file().duplicate()).toList());
    descriptors = desc;
    model.isPacked(true);
    model.reportsUsed = true;
    model.size = size;
    model.mapped =
        new VringAddress(
            0,
            VringAddress.LOG,
            memory.table().userAddressOf(desc, 16L * size),
            memory.table().userAddressOf(used, 4),
            memory.table().userAddressOf(avail, 4),
            used);
  }

  /** What GET_VRING_BASE answers. */
  public int base() {
    return model.wholeBase();
  }

  /** What SET_VRING_BASE tells. */
  public void base(int told) {
    model.base = told & 0xffff;
    model.nextUsed = told >>> 16;
  }

  /** Stops, and starts again with nothing but what it answered. */
  public void restart() {
    int base = base();
    model.isPacked(false);
    model.isPacked(true);
    base(base);
  }

  /** Takes up to so many chains, and writes them as used with nothing written. */
  public List<byte[]> take(int most) {
    PackedRing ring = ring();
    List<byte[]> taken = new ArrayList<>();
    DeviceRing.Chain chain = taken.size() < most ? ring.peek() : null;
    while (chain != null) {
      taken.add(read(chain));
      ring.use(chain, 0);
      chain = taken.size() < most ? ring.peek() : null;
    }
    ring.publish();
    return taken;
  }

  /** Puts bytes into the next chain; false when none waits. */
  public boolean give(byte[] bytes) {
    PackedRing ring = ring();
    DeviceRing.Chain chain = ring.peek();
    if (chain == null) {
      return false;
    }
    write(chain, bytes);
    ring.use(chain, bytes.length);
    ring.publish();
    return true;
  }

  /** Answers a command as the control queue has them: one byte into the last descriptor. */
  public byte @Nullable [] answer(int ack) {
    PackedRing ring = ring();
    DeviceRing.Chain chain = ring.peek();
    if (chain == null) {
      return null;
    }
    byte[] command = read(chain);
    write(chain, new byte[] {(byte) ack});
    ring.use(chain, 1);
    ring.publish();
    return command;
  }

  /** Looks as far ahead as it can and takes nothing; how many chains it saw. */
  public int lookAhead() {
    PackedRing ring = ring();
    int chains = 0;
    while (ring.peek() != null) {
      chains++;
    }
    return chains;
  }

  /** Uses two chains and says, for before and after it publishes, what a guest's look is told. */
  public List<Boolean> seenInABatch(BooleanSupplier guestSees) {
    PackedRing ring = ring();
    for (int i = 0; i < 2; i++) {
      DeviceRing.Chain chain = ring.peek();
      if (chain == null) {
        throw new IllegalStateException("no chain waits");
      }
      ring.use(chain, 0);
    }
    boolean before = guestSees.getAsBoolean();
    ring.publish();
    return List.of(before, guestSees.getAsBoolean());
  }

  /** Whether the guest wants to be told of what was used. */
  public boolean wantsCall() {
    return ring().wantsCall();
  }

  /** Has the guest notify. */
  public void askForKicks() {
    ring().askForKicks();
  }

  /** Guest addresses of the descriptors that were marked as written. */
  public List<Long> descriptorWrites() {
    return descriptorWrites;
  }

  /** Guest addresses in the device area that were marked as written. */
  public List<Long> areaWrites() {
    return areaWrites;
  }

  private PackedRing ring() {
    return PackedRing.of(
        model,
        mapped,
        new PackedRing.Log(
            descriptors,
            (address, _) -> descriptorWrites.add(address),
            (address, _) -> areaWrites.add(address),
            (_, _) -> {}));
  }

  private byte[] read(DeviceRing.Chain chain) {
    byte[] all = new byte[0];
    for (DeviceRing.Descriptor descriptor : chain.descriptors()) {
      if (!descriptor.deviceWrites()) {
        byte[] part = at(descriptor).toArray(ValueLayout.JAVA_BYTE);
        all = Arrays.copyOf(all, all.length + part.length);
        System.arraycopy(part, 0, all, all.length - part.length, part.length);
      }
    }
    return all;
  }

  private void write(DeviceRing.Chain chain, byte[] bytes) {
    int done = 0;
    for (DeviceRing.Descriptor descriptor : chain.descriptors()) {
      if (descriptor.deviceWrites()) {
        int part = Math.min(descriptor.length(), bytes.length - done);
        MemorySegment.copy(bytes, done, at(descriptor), ValueLayout.JAVA_BYTE, 0, part);
        done += part;
      }
    }
  }

  private MemorySegment at(DeviceRing.Descriptor descriptor) {
    MemorySegment bytes = mapped.atGuest(descriptor.address(), descriptor.length());
    if (bytes == null) {
      throw DeviceRing.broken(0, "has a descriptor outside of guest memory");
    }
    return bytes;
  }

  @Override
  public void close() {
    mapped.close();
  }
}
