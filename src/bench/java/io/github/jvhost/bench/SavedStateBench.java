package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.QemuStreamReader;
import io.github.jvhost.vmstate.SectionShape;
import io.github.jvhost.vmstate.StreamRecord;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Saved devices: a virtio-net section of a modern PCI device against copying as many bytes, and
 * passing over guest memory in a stream against reading the file.
 */
public final class SavedStateBench implements Bench {
  private static final int PAIRS = 2;
  private static final int RAM_BYTES = 64 << 20;
  private static final int BUFFER = 1 << 16;

  /** Goes in a round of a few milliseconds. */
  private static final int SHORT_GOES = 200;

  private final VirtioNetState state = SampleMachine.device(PAIRS);

  /** Benchmarks with a device and a stream of their own. */
  public SavedStateBench() {}

  /**
   * Runs all of it.
   *
   * @return a row for reading, one for writing, one for a whole stream
   * @throws VhostException the stream could not be written to a file or read from it
   */
  @Override
  public List<BenchRow> run(Effort effort) {
    byte[] body = VirtioNetVmState.encode(state);
    SectionShape shape = SectionShape.of(state);
    var timing = new PairedTiming(SHORT_GOES);
    BenchRow read =
        timing.compare(
            "virtio-net section, modern PCI, read; to copying %d bytes".formatted(body.length),
            5,
            () -> VirtioNetVmState.decode(ByteBuffer.wrap(body), shape),
            body::clone,
            effort);
    BenchRow write =
        timing.compare(
            "virtio-net section, modern PCI, write; to copying %d bytes".formatted(body.length),
            5,
            () -> VirtioNetVmState.encode(state),
            body::clone,
            effort);
    return List.of(read, write, wholeStream(effort));
  }

  private BenchRow wholeStream(Effort effort) {
    try {
      Path file = Files.createTempFile("jvhost", ".stream");
      try {
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), BUFFER)) {
          SampleMachine.save(state, RAM_BYTES, true, out);
        }
        return new PairedTiming(1)
            .compare(
                "whole stream, %d MiB of RAM pages passed over; to reading the file"
                    .formatted(RAM_BYTES >> 20),
                1.5,
                () -> passOver(file),
                () -> readFile(file),
                effort);
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private static Object passOver(Path file) {
    try (InputStream in = Files.newInputStream(file)) {
      QemuStreamReader reader = QemuStreamReader.builder().open(in);
      StreamRecord last = null;
      for (var next = reader.next(); next.isPresent(); next = reader.next()) {
        last = next.get();
      }
      return String.valueOf(last);
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private static Object readFile(Path file) {
    byte[] buffer = new byte[BUFFER];
    try (InputStream in = Files.newInputStream(file)) {
      while (in.read(buffer) >= 0) {
        // What is in it does not matter.
      }
      return buffer;
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private static VhostException failed(IOException e) {
    return new VhostException("a benchmark's stream: " + e.getMessage(), Recovery.GIVE_UP, e);
  }
}
