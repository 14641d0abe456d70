package io.github.jvhost.cli;

import io.github.jvhost.bench.SampleMachine;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The build runs this class to make the ahead-of-time cache: the JVM records which classes are
 * loaded and how methods behave during a whole migration and the reading of a stream. Drops the
 * output of the commands, except progress and errors.
 */
final class Training {
  private static final int QUEUE_PAIRS = 2;
  private static final long MEMORY = 32 << 20;

  private Training() {}

  /**
   * Runs the commands.
   *
   * @throws IOException when the stream for them could not be written
   */
  public static void main(String[] args) throws IOException {
    System.exit(run());
  }

  /** Runs the commands until one fails. Returns its exit code, or 0 if none fails. */
  static int run() throws IOException {
    Path stream = Files.createTempFile("jvhost", ".stream");
    try {
      try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(stream))) {
        SampleMachine.save(SampleMachine.device(QUEUE_PAIRS), MEMORY, false, out);
      }
      String file = stream.toString();
      var said = new PrintWriter(System.err, true, System.err.charset());
      String[][] commands = {
        {"plan", file},
        {"vmstate", "show", file},
        {"demo", "--presetup=explicit", "--hardware-model=none", "--memory=32M", "--json"}
      };
      for (String[] command : commands) {
        int code = Jvhost.execute(new PrintWriter(Writer.nullWriter()), said, command);
        if (code != 0) {
          return code;
        }
      }
      return 0;
    } finally {
      Files.delete(stream);
    }
  }
}
