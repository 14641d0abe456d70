package io.github.jvhost.vhost;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The eventfds of a vring. The embedder owns them and closes them with {@link #close}. A device
 * uses them until it is closed, and closes none. An embedder on KVM gives duplicates of its
 * ioeventfd and irqfd, {@link #duplicateOf}.
 *
 * @param kick guest to back end
 * @param call back end to guest
 * @param err back end to front end, when it gives the ring up; null: none is sent
 */
public record RingEventfds(EventFd kick, EventFd call, @Nullable EventFd err) {

  /** Both are needed. */
  public RingEventfds {
    Objects.requireNonNull(kick, "kick");
    Objects.requireNonNull(call, "call");
  }

  /**
   * A kick and a call without an err eventfd.
   *
   * @param kick guest to back end
   * @param call back end to guest
   */
  public RingEventfds(EventFd kick, EventFd call) {
    this(kick, call, null);
  }

  /**
   * {@return the same, and an eventfd by which the back end says that it gives the ring up}
   *
   * @param newErr an open eventfd; {@link #close} closes it with the others
   */
  public RingEventfds withErr(EventFd newErr) {
    return new RingEventfds(kick, call, newErr);
  }

  /**
   * Makes a new kick and call for each of a device's rings.
   *
   * @param ledger that counts the descriptors
   * @param device its name, for the descriptors' names
   * @param rings how many, two for each queue pair: the control queue needs none
   * @return one pair a ring, by vring index; the caller closes them
   */
  public static List<RingEventfds> create(DescriptorLedger ledger, String device, int rings) {
    if (rings <= 0) {
      throw new IllegalArgumentException(device + ": eventfds for " + rings + " rings");
    }
    List<RingEventfds> all = new ArrayList<>(rings);
    for (int i = 0; i < rings; i++) {
      all.add(
          new RingEventfds(
              EventFd.create(ledger, device + " ring " + i + " kick"),
              EventFd.create(ledger, device + " ring " + i + " call")));
    }
    return all;
  }

  /**
   * Duplicates eventfds that a VMM has made: KVM's ioeventfd and irqfd of a ring. The VMM keeps its
   * own; this object has and closes duplicates. Blocking eventfds are made non-blocking, which the
   * VMM sees too: see {@link EventFd#adopt}.
   *
   * @param ledger where the duplicates are recorded
   * @param what the ring, for messages: "net0 ring 3"
   * @param kick an open eventfd, guest to back end (ioeventfd)
   * @param call an open eventfd, back end to guest (irqfd)
   * @return the duplicates, which the caller closes
   * @throws io.github.jvhost.sys.SystemCallException if one is not open, or no more descriptors can
   *     be opened
   */
  public static RingEventfds duplicateOf(DescriptorLedger ledger, String what, int kick, int call) {
    EventFd first =
        EventFd.adopt(OwnedDescriptor.duplicateOf(ledger, kick, "eventfd " + what + " kick"));
    try {
      return new RingEventfds(
          first,
          EventFd.adopt(OwnedDescriptor.duplicateOf(ledger, call, "eventfd " + what + " call")));
    } catch (RuntimeException e) {
      first.close();
      throw e;
    }
  }

  /** Closes all of them. */
  public void close() {
    kick.close();
    call.close();
    if (err != null) {
      err.close();
    }
  }
}
