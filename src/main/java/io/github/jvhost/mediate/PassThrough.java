package io.github.jvhost.mediate;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.Relay;
import io.github.jvhost.channel.backend.RelayObserver;
import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.channel.backend.RelayedMessage;
import io.github.jvhost.sys.DescriptorLedger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A device whose messages are passed on, and what is shown of it. Any thread may call it. */
final class PassThrough implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(PassThrough.class);

  private final PassedDevice device;
  private final Counts counts;
  private final Relay relay;

  private PassThrough(PassedDevice device, Counts counts, Relay relay) {
    this.device = device;
    this.counts = counts;
    this.relay = relay;
  }

  /**
   * Begins to pass on.
   *
   * @throws VhostException (GIVE_UP) if it cannot listen for the front end
   */
  static PassThrough start(PassedDevice device, DescriptorLedger ledger) {
    var counts = new Counts(device.name());
    return new PassThrough(
        device, counts, Relay.start(device.frontEnd(), device.backEnd(), ledger, counts));
  }

  /** What has passed. Written by the relay's thread, read by others. */
  private static final class Counts implements RelayObserver {
    private final String name;
    private boolean connected;
    private long messages;
    private long messagesToTheSwitch;
    private @Nullable String lastEnd;

    Counts(String name) {
      this.name = name;
    }

    @Override
    public synchronized void connected(int session, long nanos) {
      connected = true;
      messages = 0;
      log.info("{}: the front end has connected; its messages are passed on", name);
    }

    @Override
    public synchronized void passed(RelayedMessage message) {
      if (message.route() == RelayRoute.TO_BACK_END) {
        messages++;
        messagesToTheSwitch++;
      }
    }

    @Override
    public synchronized void ended(int session, long nanos, String why) {
      connected = false;
      lastEnd = why;
      log.info("{}: the connection to the front end ends: {}", name, why);
    }

    synchronized NicStatus status(PassedDevice device, boolean alive) {
      return NicStatus.passedOn(
          device.name(),
          connected ? device.backEnd().toString() : null,
          messages,
          messagesToTheSwitch,
          alive ? lastEnd : "nothing is passed on any more; the mediator has to be started again");
    }
  }

  NicStatus status() {
    return counts.status(device, relay.isAlive());
  }

  @Override
  public void close() {
    try {
      relay.close();
    } catch (VhostException e) {
      log.warn("{}: {}", device.name(), e.getMessage());
    }
  }
}
