package io.github.jvhost.vmstate;

import java.io.InputStream;
import java.io.OutputStream;
import java.util.Optional;
import java.util.function.Function;

/**
 * Copies a migration stream and changes some of its records: for example a MAC address, the index
 * of a ring, or the removal of a device.
 */
public final class StreamRewriter {
  private StreamRewriter() {}

  /**
   * Copies a stream up to its end. Memory is written while it is read and is not kept.
   *
   * @param in the stream to read; not closed
   * @param out the stream to write; not closed, not flushed
   * @param with how the stream is read; its sink for memory is replaced by that of the writer
   * @param change returns the record to write, or empty to leave the record out. Records of memory
   *     and the end must not be changed
   * @throws VmStateException when the input is not a valid stream
   */
  public static void rewrite(
      InputStream in,
      OutputStream out,
      QemuStreamReader.Builder with,
      Function<StreamRecord, Optional<StreamRecord>> change) {
    QemuStreamWriter writer = new QemuStreamWriter(out);
    QemuStreamReader reader = with.ram(writer.ram()).open(in);
    for (var next = reader.next(); next.isPresent(); next = reader.next()) {
      change.apply(next.get()).ifPresent(writer::write);
    }
    reader.expectEnd();
  }
}
