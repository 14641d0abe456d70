package io.github.jvhost.testkit.scenario;

import io.github.jvhost.Recovery;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.sys.Deadline;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;

/**
 * A link on whose other side stands a script: what it says is known beforehand, then it hangs up.
 */
final class ScriptedLink implements MigrationLink {
  private final ByteBuffer script;
  private final ByteArrayOutputStream sent = new ByteArrayOutputStream();

  ScriptedLink(byte[] script) {
    this.script = ByteBuffer.wrap(script);
  }

  /** What was sent to the script. */
  synchronized byte[] sent() {
    return sent.toByteArray();
  }

  @Override
  public synchronized void send(ByteBuffer bytes, Deadline deadline) {
    while (bytes.hasRemaining()) {
      sent.write(bytes.get());
    }
  }

  @Override
  public void receive(ByteBuffer into, Deadline deadline) {
    int count = Math.min(into.remaining(), script.remaining());
    into.put(script.slice(script.position(), count));
    script.position(script.position() + count);
    if (into.hasRemaining()) {
      throw new MigrationException("the script is over", Recovery.RETRY, null);
    }
  }

  @Override
  public boolean awaitReadable(Deadline deadline) {
    return true;
  }

  @Override
  public void close() {
    // The test's arrays.
  }
}
