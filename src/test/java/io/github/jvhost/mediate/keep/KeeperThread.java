package io.github.jvhost.mediate.keep;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import java.nio.file.Path;
import java.time.Duration;

/** A keeper that serves in a thread of its own until it is closed. */
public final class KeeperThread implements AutoCloseable {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final Path path;
  private final Keeper keeper;
  private final Thread thread;
  private volatile boolean ending;
  private int held;

  private KeeperThread(Path path) {
    this.path = path;
    this.keeper = Keeper.listen(path, ledger);
    this.thread = Thread.ofPlatform().name("keeper").start(this::serve);
  }

  public static KeeperThread start(Path path) {
    return new KeeperThread(path);
  }

  Path path() {
    return path;
  }

  public DescriptorLedger ledger() {
    return ledger;
  }

  private void serve() {
    while (!ending) {
      keeper.serve(Deadline.after(Duration.ofMillis(20)));
    }
  }

  /** How many descriptors it held when it was closed. */
  public int held() {
    return held;
  }

  @Override
  public void close() {
    if (ending) {
      return;
    }
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
    held = keeper.held();
    keeper.close();
  }
}
