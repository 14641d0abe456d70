package io.github.jvhost.testkit.qemu;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.ByteArrayOutputStream;

/**
 * An archive as the kernel unpacks it into its first file system: cpio's "newc" format.
 *
 * <pre>
 *   +--------+------------------------------+---------+---+----------+---+
 *   | 070701 | 13 numbers of 8 hex digits:  | name, 0 | * | content  | * |   ... and at last an
 *   |        | inode, mode, uid, gid, links,|         |   |          |   |   entry "TRAILER!!!"
 *   |        | mtime, size, 4 devices, size |         |   |          |   |
 *   |        | of the name, 0               |         |   |          |   |   * zeros up to a
 *   +--------+------------------------------+---------+---+----------+---+     multiple of 4
 * </pre>
 *
 * <p>Used by one thread.
 */
final class CpioArchive {
  private static final int DIRECTORY = 0040755;
  private static final int PROGRAM = 0100755;
  private static final int ALIGNMENT = 4;

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private int entries;

  /** Adds an empty directory, which must come before what is in it. */
  void directory(String name) {
    entry(name, DIRECTORY, new byte[0]);
  }

  /** Adds a file that everybody may read and execute. */
  void file(String name, byte[] content) {
    entry(name, PROGRAM, content);
  }

  /** Ends the archive; nothing can be added after that. */
  byte[] finish() {
    entry("TRAILER!!!", 0, new byte[0]);
    return bytes.toByteArray();
  }

  private void entry(String name, int mode, byte[] content) {
    int[] numbers = {
      ++entries, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length() + 1, 0,
    };
    var header = new StringBuilder("070701");
    for (int number : numbers) {
      header.append("%08x".formatted(number));
    }
    header.append(name).append('\0');
    aligned(header.toString().getBytes(US_ASCII));
    aligned(content);
  }

  private void aligned(byte[] part) {
    bytes.writeBytes(part);
    while (bytes.size() % ALIGNMENT != 0) {
      bytes.write(0);
    }
  }
}
