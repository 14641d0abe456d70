package io.github.jvhost.migration;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.RehearsalPeer;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import io.github.jvhost.vmstate.SectionShape;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Walks the destination's stop window ahead of time, again and again: reads the record, restores it
 * into a separate model, plans, and tells the plan to a peer in this process. What the JVM loads
 * and compiles on the way is not left for the time when a guest is stopped.
 *
 * <p>Bounded in rounds and in time, and ended at once when the guest is about to stop.
 */
final class Rehearsal {
  private static final Logger log = LoggerFactory.getLogger(Rehearsal.class);

  /** Past the point at which the JVM compiles a method, with what it calls in loops. */
  private static final int BURST = 400;

  /**
   * The rounds after that are spread out: the JVM compiles on threads of its own, and they shall be
   * done with it, not compete for a core with a back end while a guest is stopped.
   */
  private static final int ROUNDS = BURST + 150;

  private static final long PAUSE_NANOS = 2_000_000;

  private static final Duration BUDGET = Duration.ofSeconds(1);

  private Rehearsal() {}

  /**
   * A device and the record that is read over and over.
   *
   * @param net set up early
   * @param content its early record
   */
  record Part(VhostNet net, DeviceRecord content) {}

  /** Rehearses until it is enough, or until there is no more time for it. */
  static void run(List<Part> parts, BooleanSupplier noMoreTime) {
    Deadline deadline = Deadline.after(BUDGET);
    int rounds = 0;
    List<RehearsalPeer> peers = new ArrayList<>(parts.size());
    try {
      parts.forEach(p -> peers.add(p.net().rehearsalPeer()));
      while (rounds < ROUNDS && !deadline.expired() && !noMoreTime.getAsBoolean()) {
        for (int i = 0; i < parts.size(); i++) {
          parts.get(i).net().rehearse(decode(parts.get(i)), peers.get(i));
        }
        rounds++;
        if (rounds > BURST) {
          LockSupport.parkNanos(PAUSE_NANOS);
        }
      }
    } catch (VhostException e) {
      log.debug("the rehearsal ended early: {}", e.getMessage());
    } finally {
      peers.forEach(RehearsalPeer::close);
    }
    log.debug("rehearsed {} times", rounds);
  }

  private static VirtioNetState decode(Part part) {
    return decode(part.net(), part.content());
  }

  /** What the record says, for this device. */
  static VirtioNetState decode(VhostNet net, DeviceRecord content) {
    return VirtioNetVmState.fromRecord(content, SectionShape.of(net.model()));
  }
}
