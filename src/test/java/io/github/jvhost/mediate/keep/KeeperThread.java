package io.github.jvhost.mediate.keep;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import java.nio.file.Path;
import java.time.Duration;

/** A keeper that serves in a thread of its own until it is closed. */
final class KeeperThread implements AutoCloseable {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final Path path;
  private final Keeper keeper;
  private final Thread thread;
  private volatile boolean ending;

  private KeeperThread(Path path) {
    this.path = path;
    this.keeper = Keeper.listen(path, ledger);
    this.thread = Thread.ofPlatform().name("keeper").start(this::serve);
  }

  static KeeperThread start(Path path) {
    return new KeeperThread(path);
  }

  Path path() {
    return path;
  }

  DescriptorLedger ledger() {
    return ledger;
  }

  private void serve() {
    while (!ending) {
      keeper.serve(Deadline.after(Duration.ofMillis(20)));
    }
  }

  @Override
  public void close() {
    ending = true;
    boolean ended;
    try {
      ended = thread.join(Duration.ofSeconds(30));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      ended = false;
    }
    if (!ended) {
      throw new IllegalStateException("the keeper still serves");
    }
    keeper.close();
  }
}
