package io.github.jvhost.vhost;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The eventfds of a vring. An embedder on KVM gives its ioeventfd and irqfd here. They stay the
 * embedder's, and have to stay open as long as the device.
 *
 * @param kick guest to back end
 * @param call back end to guest
 * @param err back end to front end, when it gives the ring up; null: it is not told of one
 */
public record RingNotifiers(EventFd kick, EventFd call, @Nullable EventFd err) {

  /** A pair without a notifier for errors. */
  public RingNotifiers(EventFd kick, EventFd call) {
    this(kick, call, null);
  }

  /** The same, and an eventfd by which the back end says that it gives the ring up. */
  public RingNotifiers withErr(EventFd newErr) {
    return new RingNotifiers(kick, call, newErr);
  }

  /**
   * A fresh pair for each of a device's rings.
   *
   * @param ledger that counts the descriptors
   * @param device its name, for the descriptors' names
   * @param rings how many, the control queue left out
   */
  public static List<RingNotifiers> create(DescriptorLedger ledger, String device, int rings) {
    List<RingNotifiers> all = new ArrayList<>(rings);
    for (int i = 0; i < rings; i++) {
      all.add(
          new RingNotifiers(
              EventFd.create(ledger, device + " ring " + i + " kick"),
              EventFd.create(ledger, device + " ring " + i + " call")));
    }
    return all;
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
