package io.github.jvhost.migration;

import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.VhostNet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Finds the pages that are written while the source migrates. The {@link RamSource} follows the
 * guest's writes. The back ends' writes come from a dirty log that all of them share. For one
 * thread.
 */
final class DirtyLogging {
  private final DescriptorLedger ledger;
  private final RamSource ram;
  private final List<VhostNet> devices;

  /** Whether a back end writes that cannot log. */
  private final boolean incomplete;

  /** Whether {@link RamSource#begin} was called, and its end was not. */
  private boolean followed;

  private @Nullable DirtyLog shared;

  /**
   * Nothing is followed yet.
   *
   * @param copiesStopped whether back ends are left out that cannot log
   */
  DirtyLogging(
      DescriptorLedger ledger, RamSource ram, List<VhostNet> devices, boolean copiesStopped) {
    this.ledger = ledger;
    this.ram = ram;
    this.devices =
        copiesStopped ? devices.stream().filter(d -> d.capabilities().canLog()).toList() : devices;
    this.incomplete = this.devices.size() < devices.size();
  }

  /** Whether pages may be sent before the guest is stopped, because all writes are followed. */
  boolean isComplete() {
    return !incomplete;
  }

  void begin() {
    followed = true;
    ram.begin();
    DirtyLog target = DirtyLog.create(ledger, ram.table());
    shared = target;
    devices.forEach(d -> d.migration().logTo(target));
  }

  /** There is more memory: the back ends get a larger log before they are sent the new table. */
  void grow() {
    DirtyLog before = shared;
    if (before == null) {
      devices.forEach(VhostNet::refresh);
      return;
    }
    DirtyLog grown = DirtyLog.create(ledger, ram.table());
    shared = grown;
    try {
      devices.forEach(d -> d.migration().logTo(grown));
    } finally {
      before.collectInto(ram.dirty());
      before.close();
    }
  }

  void collect() {
    if (shared != null) {
      shared.collectInto(ram.dirty());
    }
  }

  /** The guest is stopped. What was not followed counts as written. */
  void collectLast() {
    collect();
    if (incomplete) {
      ram.table().regions().forEach(r -> ram.dirty().mark(r.guestAddress(), r.size()));
    }
  }

  /** The migration is over, well or not. What the embedder's code throws is only logged. */
  void end() {
    if (followed) {
      followed = false;
      Settled.run("source: RamSource.end", ram::end);
    }
    if (shared != null) {
      devices.forEach(d -> d.migration().dropLog());
      shared.close();
      shared = null;
    }
  }
}
