package io.github.jvhost.memory;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.Mapping;
import io.github.jvhost.sys.MemoryFile;
import java.lang.foreign.MemorySegment;

/** A region with the file and the mapping that this process holds for it, owned as one. */
record BackedRegion(MemoryRegion region, MemoryFile file, Mapping mapping, MemorySegment bytes)
    implements AutoCloseable {

  /** Makes the file and maps all of it; nothing is left open when that fails. */
  static BackedRegion create(DescriptorLedger ledger, String name, long gpa, long size) {
    MemoryFile file = MemoryFile.create(ledger, name, size);
    try {
      MemoryRegion region =
          new MemoryRegion(
              name, gpa, size, gpa + GuestMemory.USER_ADDRESS_BASE, 0, file.descriptor());
      Mapping mapping = file.map(0, size);
      return new BackedRegion(region, file, mapping, mapping.segment());
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  @Override
  public void close() {
    mapping.close();
    file.close();
  }
}
