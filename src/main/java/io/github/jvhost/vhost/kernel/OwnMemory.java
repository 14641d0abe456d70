package io.github.jvhost.vhost.kernel;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;

/**
 * Memory of this process, all zeros at first, that a vDPA device finds where guest memory is not.
 *
 * @param region where the device finds it
 * @param mapping where this process does
 */
record OwnMemory(MemoryFile file, MemoryRegion region, Mapping mapping) implements AutoCloseable {
  /**
   * Makes it. The device is told by {@link VdpaMemory#add}.
   *
   * @param size in bytes, a multiple of the page size
   */
  static OwnMemory at(long address, long size, String name, DescriptorLedger ledger) {
    MemoryFile file = MemoryFile.create(ledger, name, size);
    try {
      var region = new MemoryRegion(name, address, size, 0, 0, file.descriptor());
      return new OwnMemory(file, region, file.map(0, size));
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
