package io.github.jvhost.sys.io;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;

/**
 * A pipe of the operating system. This object owns both ends until other objects take them over.
 * Usually one end is sent to a back end, and this process reads or writes the other.
 *
 * <pre>
 *   PipeWriter --&gt; writeEnd ======== kernel, 64 KiB ======== readEnd --&gt; PipeReader
 * </pre>
 *
 * <p>The ends are close-on-exec and blocking, as back ends expect. {@link PipeReader} and {@link
 * PipeWriter} make their end non-blocking, which does not change the other end.
 *
 * <p>The reader sees the end of the stream only when <em>every</em> descriptor of the writing end
 * is closed. So close your own copy after it was sent.
 *
 * <p>One thread at a time.
 */
public final class Pipe implements AutoCloseable {
  private final OwnedDescriptor readEnd;
  private final OwnedDescriptor writeEnd;

  private Pipe(OwnedDescriptor readEnd, OwnedDescriptor writeEnd) {
    this.readEnd = readEnd;
    this.writeEnd = writeEnd;
  }

  /**
   * {@return a new, empty pipe, which the caller closes}
   *
   * @param ledger records its descriptors, as "pipe " and {@code what}
   * @param what its purpose: "state of net0"
   * @throws SystemCallException when no more descriptors are available
   */
  public static Pipe open(DescriptorLedger ledger, String what) {
    int[] ends = new int[2];
    String name = "pipe " + what;
    Linux.check(Linux.pipe(ends), "create " + name, "pipe2");
    return new Pipe(
        OwnedDescriptor.adopt(ledger, ends[0], name + ", reading end"),
        OwnedDescriptor.adopt(ledger, ends[1], name + ", writing end"));
  }

  /** {@return the reading end, owned by this object until another takes it over} */
  public OwnedDescriptor readEnd() {
    return readEnd;
  }

  /** {@return the writing end, owned by this object until another takes it over} */
  public OwnedDescriptor writeEnd() {
    return writeEnd;
  }

  /** Closes the ends that nobody has taken over. A second call does nothing. */
  @Override
  public void close() {
    readEnd.close();
    writeEnd.close();
  }
}
