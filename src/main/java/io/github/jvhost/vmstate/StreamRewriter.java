package io.github.jvhost.vmstate;

import java.io.InputStream;
import java.io.OutputStream;
import java.util.Optional;
import java.util.function.Function;

/**
 * Copies a migration stream and changes records on the way: another MAC address, a device less, a
 * ring that goes on elsewhere.
 */
public final class StreamRewriter {
  private StreamRewriter() {}

  /**
   * Copies a stream up to its end. Memory goes along as it is read and is not kept.
   *
   * @param in the stream; not closed
   * @param out where it goes; not closed, not flushed
   * @param with how it is read; its sink for memory becomes the writer's
   * @param change what becomes of a record; nothing: it is left out. Records of memory and the end
   *     must stay as they are
   * @throws VmStateException when something else than a stream is read
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
