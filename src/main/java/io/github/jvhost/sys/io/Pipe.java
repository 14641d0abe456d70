package io.github.jvhost.sys.io;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;

/**
 * A pipe of the operating system, both ends owned by this object until they are handed over. One
 * end usually travels to a back end, the other is read or written here.
 *
 * <pre>
 *   PipeWriter --&gt; writeEnd ======== kernel, 64 KiB ======== readEnd --&gt; PipeReader
 * </pre>
 *
 * <p>The ends are close-on-exec and blocking: a back end gets the kind of descriptor that it
 * expects. {@link PipeReader} and {@link PipeWriter} make the one end that they take non-blocking,
 * which the other does not notice.
 *
 * <p>The end of the stream is seen only when <em>every</em> descriptor of the writing end is
 * closed: close one's own copy after it was sent.
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
   * @param ledger where its descriptors are written down, as "pipe " and {@code what}
   * @param what what it is for: "state of net0"
   * @throws SystemCallException when no more descriptors are to be had
   */
  public static Pipe open(DescriptorLedger ledger, String what) {
    int[] ends = new int[2];
    String name = "pipe " + what;
    Linux.check(Linux.pipe(ends), "create " + name, "pipe2");
    return new Pipe(
        OwnedDescriptor.adopt(ledger, ends[0], name + ", reading end"),
        OwnedDescriptor.adopt(ledger, ends[1], name + ", writing end"));
  }

  /** {@return the end from which bytes come; owned by this object until somebody takes it over} */
  public OwnedDescriptor readEnd() {
    return readEnd;
  }

  /** {@return the end into which bytes go; owned by this object until somebody takes it over} */
  public OwnedDescriptor writeEnd() {
    return writeEnd;
  }

  /** Closes what is still open of both ends; a second time does nothing. */
  @Override
  public void close() {
    readEnd.close();
    writeEnd.close();
  }
}
