package io.github.jvhost.migration;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryTable;
import java.nio.ByteBuffer;

/** Pages are written into guest memory; its mapping is never changed. For one thread. */
public final class InPlaceTarget implements RamTarget {
  private final GuestMemory memory;

  /**
   * Into this memory.
   *
   * @param memory stays the caller's
   */
  public InPlaceTarget(GuestMemory memory) {
    this.memory = memory;
  }

  @Override
  public MemoryTable table() {
    return memory.table();
  }

  @Override
  public ByteBuffer writable(long guestAddress, int length) {
    return memory.slice(guestAddress, length).asByteBuffer();
  }

  @Override
  public void addRegion(String name, long guestAddress, long size) {
    try {
      memory.addRegion(name, guestAddress, size);
    } catch (IllegalArgumentException e) {
      // It comes from the other side, so it is no programming error of this one.
      throw new VhostException(
          "adding the source's memory region: " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }
}
