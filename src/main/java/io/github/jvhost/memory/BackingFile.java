package io.github.jvhost.memory;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;

/**
 * The file of one or more regions. It is open once, and closed when its last region is closed. It
 * is used only under the lock of its {@link GuestMemory}.
 */
final class BackingFile {
  private final MemoryFile file;
  private int regions;

  private BackingFile(MemoryFile file) {
    this.file = file;
  }

  /** A new sealed file. */
  static BackingFile create(DescriptorLedger ledger, String name, long size) {
    return new BackingFile(MemoryFile.create(ledger, name, size));
  }

  /**
   * A file of the embedder. An access beyond the end of a file raises SIGBUS, which fails the JVM
   * at a random place. So a file that somebody could shorten is refused.
   *
   * @param lent the caller keeps it; this object keeps a duplicate
   */
  static BackingFile of(OwnedDescriptor lent) {
    MemoryFile file = MemoryFile.adopt(lent.duplicate());
    if (!file.sealedAgainstShrinking()) {
      file.close();
      throw new VhostException(
          "map guest memory from "
              + lent
              + ": it is not sealed against shrinking (F_SEAL_SHRINK), so that whoever holds it"
              + " could make every access fault",
          Recovery.GIVE_UP);
    }
    return new BackingFile(file);
  }

  OwnedDescriptor descriptor() {
    return file.descriptor();
  }

  /** Maps a part for one more region. The region calls {@link #release} when it is closed. */
  Mapping map(MemoryRegion region) {
    long offset = region.fileOffset();
    if (region.size() > file.size() - offset) {
      throw new VhostException(
          "map memory region "
              + region
              + ": "
              + region.size()
              + " bytes at "
              + offset
              + " of "
              + file,
          Recovery.GIVE_UP);
    }
    Mapping mapping = file.map(offset, region.size());
    regions++;
    return mapping;
  }

  void release() {
    regions--;
    closeIfUnused();
  }

  void closeIfUnused() {
    if (regions == 0) {
      file.close();
    }
  }
}
