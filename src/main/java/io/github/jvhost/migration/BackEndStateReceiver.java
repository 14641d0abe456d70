package io.github.jvhost.migration;

import io.github.jvhost.Recovery;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.VhostNetMigration;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;

/**
 * The state of a device's back end at the source (DEVICE_STATE), from its arrival until this host's
 * back end has loaded it. For one thread.
 */
final class BackEndStateReceiver {
  private final VhostNet net;
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private boolean whole;

  /**
   * For a device.
   *
   * @throws MigrationException (GIVE_UP) if its back end takes no state
   */
  BackEndStateReceiver(VhostNet net) {
    if (!net.migration().hasBackEndState()) {
      throw new MigrationException(
          "%s: the source's back end has a state of its own, and the one here takes none: it does not offer DEVICE_STATE, or VhostDeviceOptions does not ask for that"
              .formatted(net.name()),
          Recovery.GIVE_UP,
          null);
    }
    this.net = net;
  }

  /**
   * Takes a part; an empty one is the end.
   *
   * @throws MigrationException if something comes after the end, or if it is too much
   */
  void take(ByteBuffer chunk) {
    if (whole || bytes.size() + chunk.remaining() > VhostNetMigration.BACK_END_STATE_LIMIT) {
      throw MigrationException.malformed(
          whole
              ? "more after the end of the state of " + net.name() + "'s back end"
              : "a state of %s's back end of more than %d bytes"
                  .formatted(net.name(), VhostNetMigration.BACK_END_STATE_LIMIT));
    }
    whole = !chunk.hasRemaining();
    byte[] part = new byte[chunk.remaining()];
    chunk.get(part);
    bytes.writeBytes(part);
  }

  /**
   * Writes it into the back end, which is not started yet.
   *
   * @throws io.github.jvhost.VhostException if the back end does not take it, or not all of it has
   *     come
   */
  void load() {
    if (!whole) {
      throw MigrationException.malformed(
          "handed over in the middle of the state of " + net.name() + "'s back end");
    }
    net.migration()
        .loadBackEndState(Channels.newChannel(new ByteArrayInputStream(bytes.toByteArray())));
  }

  /**
   * Checks, after the start, that the back end still has the state.
   *
   * @throws MigrationException (RETRY) if the device had to be connected anew, so that the state is
   *     lost
   */
  void requireHeld() {
    if (!net.migration().holdsLoadedState()) {
      throw new MigrationException(
          net.name()
              + ": its back end was lost after its state was loaded, so the state is lost too",
          Recovery.RETRY,
          null);
    }
  }
}
