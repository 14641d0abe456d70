package io.github.jvhost.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Optional;

/**
 * Standard output that keeps the reason of a failed write, which a {@link java.io.PrintWriter}
 * drops. It is no failure if the reader closes the pipe early ({@code | head -1}). Used by one
 * thread.
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

  /** Returns why a write failed; empty if none did, or if the reader has closed the pipe. */
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
