package io.github.jvhost.mediate;

import java.nio.file.Path;
import java.util.List;

/** Where the mediator finds the files of guest memory before the front end sends them. */
public sealed interface GuestRamPlace {
  /** In the process at the other end of the front end's socket. */
  record FrontEnd() implements GuestRamPlace {}

  /**
   * In files that have a name.
   *
   * @param paths in the order of the source's files
   */
  record Files(List<Path> paths) implements GuestRamPlace {
    /** Copies the list. */
    public Files {
      paths = List.copyOf(paths);
    }
  }

  /**
   * In the process whose number is in a file, where the process that listens is not QEMU.
   *
   * @param path of a file with a decimal number
   */
  record PidFile(Path path) implements GuestRamPlace {}
}
