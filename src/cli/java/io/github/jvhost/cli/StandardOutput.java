package io.github.jvhost.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Optional;

/**
 * Standard output that remembers why it could not be written, which a {@link java.io.PrintWriter}
 * swallows. A reader that has seen enough, {@code | head -1}, is no failure. Used by one thread.
 */
final class StandardOutput extends OutputStream {
  private static final String SEEN_ENOUGH = "Broken pipe";

  private final OutputStream out;
  private Optional<String> failure = Optional.empty();

  StandardOutput() {
    this(new FileOutputStream(FileDescriptor.out));
  }

  StandardOutput(OutputStream out) {
    this.out = out;
  }

  /** Why something could not be written; empty when all was, or nobody reads any more. */
  Optional<String> failure() {
    return failure;
  }

  @Override
  public void write(int octet) throws IOException {
    write(new byte[] {(byte) octet}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int from, int length) throws IOException {
    try {
      out.write(bytes, from, length);
    } catch (IOException e) {
      String why = String.valueOf(e.getMessage());
      if (failure.isEmpty() && !why.contains(SEEN_ENOUGH)) {
        failure = Optional.of(why);
      }
      throw e;
    }
  }
}
