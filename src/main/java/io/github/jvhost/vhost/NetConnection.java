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
 * <p>The lock of its {@link VhostNet} guards it.
 */
final class NetConnection {
  private final VhostDevice device;
  private final BackEndPresence presence;
  private final RingIndexes indexes;
  private final Consumer<BackEndCapabilities> use;

  /** Written with the device's lock held, read without it by methods that must not wait. */
  private volatile DeviceState state = DeviceState.CONNECTED;

  /** Whether the loss was reported to the observer, or need not be. */
  private boolean lossReported;

  /** Why the connection ended, if its back end may still serve the rings; null if none may. */
  private @Nullable VhostException leftServing;

  /**
   * Makes the connection of a device that has just connected.
   *
   * @param use is called with what another back end can do; throws if that is too little
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

  /** The state of the device. Does not wait. */
  DeviceState state() {
    return state;
  }

  /** Sets the state; a closed device stays closed. */
  void setState(DeviceState now) {
    if (state != DeviceState.CLOSED) {
      state = now;
    }
  }

  /** The device is closed: the end of its connection is not reported as a loss. */
  void markClosed() {
    state = DeviceState.CLOSED;
    lossReported = true;
  }

  /**
   * Makes sure that no earlier back end may still write to guest memory.
   *
   * @throws VhostException (RECONNECT) if one may, and no other was connected since
   */
  void requireNoneLeftServing() {
    VhostException why = leftServing;
    if (why != null) {
      throw mayStillWrite(device.name(), why);
    }
  }

  /** The failure for a back end that may still write to guest memory. */
  static VhostException mayStillWrite(String name, VhostException why) {
    return new VhostException(
        "%s: the back end has not said that its rings stopped, nor hung up, so it may still write to guest memory: %s"
            .formatted(name, why.getMessage()),
        Recovery.RECONNECT,
        why);
  }

  private void reportLoss(VhostException why) {
    if (!lossReported) {
      lossReported = true;
      device.observation().lost(why);
    }
  }

  /** A request failed: if the connection ended with it, the device is lost. */
  void noteLoss(VhostException why) {
    if (device.connection() != null && !device.connected()) {
      lose(why);
    }
  }

  /**
   * A change by the driver could not be sent: the guest sees its link down, and a watch is woken.
   * The driver's access does not fail.
   */
  void cannotFollow(VhostException why) {
    if (device.connection() != null) {
      lose(why); // if sending it failed, the connection is lost already
    }
  }

  /** The connection is over: the guest sees its link down until there is another one. */
  void lose(VhostException why) {
    drop(why);
    reportLoss(why);
    if (state != DeviceState.CLOSED) {
      presence.lost(why);
    }
  }

  /**
   * Closes what is left of the connection. A back end that has neither stopped its rings nor hung
   * up may still serve them; this keeps that fact before the shadow is cleared.
   */
  void drop(VhostException why) {
    if (device.shadow().anyRingMayRun()) {
      indexes.served();
      leftServing = hungUp(why) ? null : why;
    }
    setState(DeviceState.LOST);
    presence.disconnected();
    device.disconnect();
  }

  /** Whether the back end hung up, in this failure or in the one that caused it. */
  private static boolean hungUp(VhostException why) {
    return why instanceof BackEndGoneException || why.getCause() instanceof BackEndGoneException;
  }

  /**
   * Makes another connection in place of the old one. Nothing of the device is sent yet.
   *
   * @param why the old connection cannot be used any more
   * @throws VhostException if it cannot be made, and the device is lost; or if its back end lacks
   *     what the device needs
   */
  void connectAnew(String why) {
    drop(new VhostException(why, Recovery.RECONNECT));
    try {
      device.reconnect(why, use);
    } catch (VhostException e) {
      if (!lossReported) {
        lose(e);
      }
      throw e;
    }
    connectedAnew();
  }

  /**
   * Takes a connection that was made before.
   *
   * @param opened the device owns it from here on
   * @throws VhostException if its back end lacks what the device needs
   */
  void goOnWith(Carrier opened) {
    drop(new VhostException("another connection was made", Recovery.RECONNECT));
    device.take(opened, use);
    connectedAnew();
  }

  private void connectedAnew() {
    lossReported = false;
    leftServing = null;
    setState(DeviceState.CONNECTED);
    presence.connected(device.connection());
  }
}
