package io.github.jvhost.vmstate;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;

/** The sample streams of a real QEMU, where they lie next to the repository. */
final class SampleStreams {
  private static final Path DIRECTORY = Path.of("..", "shared", "streams");
  private static final String STREAM = ".bin.gz";

  private SampleStreams() {}

  /** Names of all samples; without any the test is skipped. */
  static List<String> names() {
    assumeTrue(Files.isDirectory(DIRECTORY), "no sample streams at " + DIRECTORY);
    try (Stream<Path> files = Files.list(DIRECTORY)) {
      return files
          .map(f -> f.getFileName().toString())
          .filter(f -> f.endsWith(STREAM))
          .map(f -> f.substring(0, f.length() - STREAM.length()))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What an independent decoder found in its virtio-net sections. */
  static Path values(String name) {
    return DIRECTORY.resolve(name + ".virtio.json");
  }

  /** A sample's bytes, unpacked. */
  static byte[] load(String name) {
    assumeTrue(Files.isDirectory(DIRECTORY), "no sample streams at " + DIRECTORY);
    try (InputStream in =
        new GZIPInputStream(Files.newInputStream(DIRECTORY.resolve(name + STREAM)))) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
