package io.github.jvhost.vhost;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.Carrier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The connection of a virtio-net device to its back end: whether the back end serves the rings, how
 * a connection is lost, and how another one takes its place.
 *
 * <p>Guarded by the lock of its {@link VhostNet}.
 */
final class NetConnection {
  private final VhostDevice device;
  private final BackEndPresence presence;
  private final RingIndexes indexes;
  private final Consumer<BackEndCapabilities> use;

  /** Written under the device's lock, read without it by what must not wait. */
  private volatile DeviceState state = DeviceState.CONNECTED;

  /** Whether the observer knows that the connection is lost, or need not be told. */
  private boolean lossTold;

  /** Why the connection is over while the back end may go on serving; null: it does not. */
  private @Nullable VhostException leftServing;

  /**
   * Of a device that has just connected.
   *
   * @param use told what another back end can do; throws where that is too little
   */
  NetConnection(
      VhostDevice device,
      BackEndPresence presence,
      RingIndexes indexes,
      Consumer<BackEndCapabilities> use) {
    this.device = device;
    this.presence = presence;
    this.indexes = indexes;
    this.use = use;
    presence.connected(device.connection());
  }

  /** Waits for nothing. */
  DeviceState state() {
    return state;
  }

  /** A closed device stays so. */
  void is(DeviceState now) {
    if (state != DeviceState.CLOSED) {
      state = now;
    }
  }

  /** The device is closed: what becomes of the connection is no loss. */
  void closes() {
    state = DeviceState.CLOSED;
    lossTold = true;
  }

  /**
   * Makes sure that no back end was left that may still write. Makes no object where none was.
   *
   * @throws VhostException (RECONNECT) one was, and no other was connected to since
   */
  void requireNoneLeftServing() {
    VhostException why = leftServing;
    if (why != null) {
      throw mayStillWrite(device.name(), why);
    }
  }

  /** For a back end that guest memory cannot be taken from. */
  static VhostException mayStillWrite(String name, VhostException why) {
    return new VhostException(
        "%s: the back end has not said that its rings stopped, nor hung up, so it may still write to guest memory: %s"
            .formatted(name, why.getMessage()),
        Recovery.RECONNECT,
        why);
  }

  private void tellLoss(VhostException why) {
    if (!lossTold) {
      lossTold = true;
      device.observation().lost(why);
    }
  }

  /** Something failed that may have cost the connection: if it has, the device is lost. */
  void noteLoss(VhostException why) {
    if (device.connection() != null && !device.connected()) {
      lose(why);
    }
  }

  /**
   * What the driver has changed could not be told: the guest sees its link down, and whoever
   * watches is told. The driver's access does not fail for it.
   */
  void cannotFollow(VhostException why) {
    if (device.connection() != null) {
      lose(why); // where the telling failed it is lost already
    }
  }

  /** The connection is over: the guest sees its link down until there is another one. */
  void lose(VhostException why) {
    drop(why);
    tellLoss(why);
    if (state != DeviceState.CLOSED) {
      presence.lost(why);
    }
  }

  /**
   * Closes what is left of the connection, before what the back end was doing is forgotten. One
   * that has neither stopped its rings nor hung up may go on with them.
   */
  void drop(VhostException why) {
    if (device.shadow().anyRingMayRun()) {
      indexes.served();
      leftServing = hungUp(why) ? null : why;
    }
    is(DeviceState.LOST);
    presence.disconnected();
    device.disconnect();
  }

  /** Now, or before and it is said again. */
  private static boolean hungUp(VhostException why) {
    return why instanceof BackEndGoneException || why.getCause() instanceof BackEndGoneException;
  }

  /**
   * Another connection, in place of what is left of the old one; the back end is told nothing yet.
   *
   * @param why the old one is of no use any more
   * @throws VhostException it cannot be made, and the device is lost; or its back end can too
   *     little
   */
  void connectAnew(String why) {
    drop(new VhostException(why, Recovery.RECONNECT));
    try {
      device.reconnect(why, use);
    } catch (VhostException e) {
      if (!lossTold) {
        lose(e);
      }
      throw e;
    }
    isConnected();
  }

  /**
   * The same with a connection that is made already.
   *
   * @param opened ours from here on
   * @throws VhostException its back end can too little
   */
  void goOnWith(Carrier opened) {
    drop(new VhostException("another connection was made", Recovery.RECONNECT));
    device.take(opened, use);
    isConnected();
  }

  private void isConnected() {
    lossTold = false;
    leftServing = null;
    is(DeviceState.CONNECTED);
    presence.connected(device.connection());
  }
}
