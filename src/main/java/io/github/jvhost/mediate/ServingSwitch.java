package io.github.jvhost.mediate;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.VhostDevice;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.Shadow;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The connection to the switch that serves a NIC, and the {@link NicState}. Where the connection is
 * lost that is noted here and nothing else happens: {@link #attempt} connects again, {@link
 * DeviceRun#replay} tells everything, and {@link Spares} has a standby perhaps.
 *
 * <p>One thread at a time.
 */
final class ServingSwitch implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ServingSwitch.class);

  private final NicShared nic;
  private final FrontEndDevice device;

  private NicState state = NicState.NO_FRONT_END;
  private SwitchSearch search;
  private @Nullable SwitchConnection connection;

  /** What was negotiated with the switch that served last; null: there was none. */
  private @Nullable BackEndCapabilities negotiated;

  private boolean closed;

  /**
   * Whether the switch at {@link #address} was given up because it was silent. It may still use the
   * rings, so no other switch gets them. One that is found where it was has closed, or replaced,
   * what the silent one had: DPDK serves all connections of a process with one thread.
   */
  private boolean silent;

  ServingSwitch(NicShared nic) {
    this.nic = nic;
    this.device = nic.device();
    this.search = search(nic.options().theSwitch());
  }

  private SwitchSearch search(BackEndAddress where) {
    return nic.search(where, this::came, this::notFound);
  }

  NicState state() {
    return state;
  }

  /** {@return the connection; null if there is none} */
  @Nullable SwitchConnection connection() {
    return connection;
  }

  /** {@return whether a switch that was given up may still use the rings} */
  boolean isSilent() {
    return silent;
  }

  /** {@return why no other switch may serve while {@link #isSilent}} */
  String whySilent() {
    return "the switch at %s does not answer, and may still use its rings; it is served again when a switch is at that socket"
        .formatted(address());
  }

  /** {@return where it is, or where it is looked for} */
  BackEndAddress address() {
    return search.options().address();
  }

  /** {@return what the switch makes possible; null while there was none yet} */
  @Nullable Offer offer() {
    return negotiated == null ? null : Offer.of(negotiated);
  }

  /** Takes the transition of {@link NicState}. */
  void to(NicState.Event event) {
    NicState before = state;
    state =
        state
            .after(event)
            .orElseThrow(() -> new IllegalStateException(event + " in state " + before));
    if (state != before) {
      log.debug("{}: {} -> {} ({})", nic.name(), before, state, event);
    }
    silent &= state.isStarted();
    nic.around().hasChanged();
  }

  // ---- the connection ----

  /** Begins to look for the switch, if there is none and an attempt is due. */
  void attempt() {
    if (connection == null) {
      search.attempt();
    }
  }

  /** {@return how long until something is due, in nanoseconds} */
  long nanosLeft() {
    return connection == null ? search.nanosLeft() : connection.nanosLeft();
  }

  private void notFound(VhostException why) {
    search.pause();
    nic.history().failed(silent ? stillSilent(why) : why);
    log.debug("{}: no switch: {}", nic.name(), why.getMessage());
  }

  private VhostException stillSilent(VhostException why) {
    return new VhostException(
        "%s: %s: %s".formatted(nic.name(), whySilent(), why.getMessage()), why.recovery(), why);
  }

  private void came(VhostDevice found) {
    search.found();
    if (connection != null || closed) {
      found.close();
      return;
    }
    try {
      nic.requireEnough(found);
    } catch (VhostException e) {
      found.close();
      notFound(e);
      return;
    }
    log.atLevel(nic.level())
        .log("{}: connected to the switch {}", nic.name(), found.options().address());
    serves(new SwitchConnection(found));
    if (state != NicState.NO_SWITCH) {
      device.inflight(null); // nothing is in flight; this switch makes its own region
      to(NicState.Event.SWITCH_CAME);
    }
  }

  /** This switch serves from now on; the one before, if there is one, is left. */
  void serves(SwitchConnection now) {
    if (connection != null) {
      connection.close();
    }
    connection = now;
    silent = false;
    negotiated = now.capabilities();
    nic.around().hasChanged();
  }

  /** From now on the switch is looked for there. */
  void staysAt(BackEndAddress where) {
    search.restart();
    search = search(where);
    nic.around().hasChanged();
  }

  /** Looks what the switch has sent without being asked. */
  void look() {
    VhostException gone = connection == null ? null : connection.look(nic.answer());
    if (gone != null) {
      lost(gone);
    }
  }

  /** The connection ends, because the switch has gone or is to forget what it was told. */
  void lost(VhostException why) {
    if (connection != null) {
      drop(why);
      to(NicState.Event.SWITCH_WENT);
    }
  }

  /** The same amid a stop or a move, which says itself what becomes of the device. */
  void drop(VhostException why) {
    log.warn("{}: the connection to the switch ends: {}", nic.name(), why.getMessage());
    nic.history().failed(why);
    if (connection != null) {
      BackEndAddress where = connection.options().address();
      connection.close();
      connection = null;
      silent = state.isStarted() && why instanceof DeadlineException;
      if (silent) {
        staysAt(where);
        log.warn("{}: {}", nic.name(), whySilent());
      }
    }
    nic.around().hasChanged();
    search.pause();
  }

  /** It has done what it was asked: should it be lost, the first attempt comes soon. */
  void worked() {
    search.worked();
  }

  // ---- the front end ----

  /** The front end has gone. Only the end of a connection undoes what a switch was told early. */
  void frontEndWent() {
    to(NicState.Event.FRONT_END_WENT);
    if (connection != null) {
      connection.close();
      connection = null;
      search.restart();
    }
  }

  /**
   * Asks the switch to announce the guest.
   *
   * @param mac six bytes, in wire order
   * @return whether it was asked; it cannot be while there is none, or while it is being told early
   */
  boolean announce(byte[] mac) {
    SwitchConnection at = connection;
    if (at == null || at.isBusy() || state == NicState.NO_SWITCH) {
      return false;
    }
    try {
      at.device().announce(mac);
      return true;
    } catch (VhostException e) {
      lost(e);
      return false;
    }
  }

  // ---- what a mediator that takes over has to know ----

  /** {@return the connection, or what was negotiated on the last one; null: none} */
  SavedNic.@Nullable Connection saved(NicSaver saver) {
    BackEndCapabilities can = negotiated;
    return can == null
        ? null
        : new SavedNic.Connection(
            connection == null ? "" : connection.saved(saver),
            SwitchSockets.text(address()),
            can.features(),
            can.protocolFeatures(),
            can.maxQueuePairs(),
            can.memorySlots());
  }

  /**
   * Takes up what an earlier mediator has saved. Where the device ran at a switch that was not
   * being told anything, that connection is used. In every other state what the switch holds is not
   * known, or is of no use any more, and the connection is closed: {@link NicService#restore} has
   * the table.
   *
   * @param was the state that was saved
   * @param files gives the file of a name, which is then owned here
   */
  void restore(
      NicState was, SavedNic.@Nullable Connection saved, Function<String, OwnedDescriptor> files) {
    state = was.takenOver();
    if (saved == null) {
      return;
    }
    BackEndCapabilities can = saved.capabilities(nic.options());
    negotiated = can;
    BackEndAddress where = nic.saved(saved.address());
    search = where == null ? search : search(where);
    if (saved.socket().isEmpty()) {
      return;
    }
    OwnedDescriptor socket = files.apply(saved.socket());
    if (state == NicState.RUNNING) {
      DeviceConfig held = device.desired(Lifecycle.RUNNING, can);
      connection = SwitchConnection.resume(search.options(), socket, can, held);
    } else {
      VhostDevice.resume(search.options(), socket, can, Shadow.nothingHeld()).close();
    }
  }

  @Override
  public void close() {
    closed = true;
    search.close();
    if (connection != null) {
      connection.close();
      connection = null;
    }
  }
}
