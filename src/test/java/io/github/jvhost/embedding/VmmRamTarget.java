package io.github.jvhost.embedding;

import io.github.jvhost.Recovery;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.RamTarget;
import java.nio.ByteBuffer;

// guide: ram target
/** The destination's RAM, which the VMM's stream has written by the time that anybody looks. */
record VmmRamTarget(GuestMemory memory) implements RamTarget {
  @Override
  public MemoryTable table() {
    return memory.table();
  }

  @Override
  public ByteBuffer writable(long guestAddress, int length) {
    throw new MigrationException("pages come in frames of their own", Recovery.GIVE_UP, null);
  }

  @Override
  public void addRegion(String name, long guestAddress, long size) {
    throw new MigrationException("no memory is added to " + this, Recovery.GIVE_UP, null);
  }
}
// guide: end
