package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.VhostDevice;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.InflightRegion;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The other switches of a NIC: its standby, and the target of a move. Both are told everything
 * early while the device runs elsewhere. One thread at a time.
 */
final class Spares implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Spares.class);

  /** How long a switch that has not started the device is given to see that it shall not. */
  private static final Duration LETS_GO = Duration.ofSeconds(1);

  private final NicShared nic;
  private final ServingSwitch serving;
  private final DeviceRun run;
  private final DeviceChanges changes;
  private final Predicate<SwitchConnection> turn;
  private @Nullable Spare standby;
  private @Nullable Move moving;
  private boolean closed;

  /**
   * A move that was asked for.
   *
   * @param spare the switch to move to
   * @param stoodBy whether it was the standby, and is that again if the move fails
   * @param deadline for it to be ready
   * @param result completed with what it took, or with why it failed
   */
  private record Move(
      Spare spare, boolean stoodBy, Deadline deadline, CompletableFuture<MoveResult> result) {
    BackEndAddress where() {
      return spare.search().options().address();
    }
  }

  /**
   * Has no spares yet.
   *
   * @param turn takes the turn to preset, if it is free
   */
  Spares(
      NicShared nic,
      ServingSwitch serving,
      DeviceRun run,
      DeviceChanges changes,
      Predicate<SwitchConnection> turn) {
    this.nic = nic;
    this.serving = serving;
    this.run = run;
    this.changes = changes;
    this.turn = turn;
  }

  /** {@return the connection to the standby; null: none} */
  @Nullable SwitchConnection toStandby() {
    return standby == null ? null : standby.connection();
  }

  /** {@return the connection to the target of a move; null: none} */
  @Nullable SwitchConnection toTarget() {
    return moving == null ? null : moving.spare().connection();
  }

  /**
   * From now on another switch is kept preset, and serves at once when the first goes away.
   *
   * @param where it is; null: no more
   * @throws VhostException (GIVE_UP) if this switch serves it already, or is being moved to
   */
  void standby(@Nullable BackEndAddress where) {
    if (where != null) {
      requireAnother(where);
      if (moving != null && isSame(where, moving.where())) {
        throw new VhostException(
            "%s: it is being moved to %s".formatted(nic.name(), where), Recovery.GIVE_UP);
      }
    }
    if (standby != null) {
      standby.close();
    }
    standby = where == null ? null : spare(where);
    nic.around().hasChanged();
  }

  /**
   * The device moves to another switch while its guest runs.
   *
   * @param where it is
   * @param within how long it may take until the other switch is ready
   * @return completed with what it took, or exceptionally with a {@link VhostException}: then the
   *     device runs where it was
   * @throws VhostException (GIVE_UP) if this switch serves it already
   */
  CompletableFuture<MoveResult> move(BackEndAddress where, Duration within) {
    requireAnother(where);
    var result = new CompletableFuture<MoveResult>();
    if (moving != null) {
      result.completeExceptionally(
          new VhostException(nic.name() + ": a move is under way already", Recovery.RETRY));
      return result;
    }
    Spare other = standby;
    boolean stoodBy = other != null && isSame(where, other.search().options().address());
    Spare target = other != null && stoodBy ? other : spare(where);
    standby = stoodBy ? null : other;
    moving = new Move(target, stoodBy, Deadline.after(within), result);
    nic.around().hasChanged();
    return result;
  }

  /** A switch that takes one connection at a time would have to choose. */
  private void requireAnother(BackEndAddress where) {
    if (isSame(where, serving.address())) {
      throw new VhostException(
          "%s: the switch at %s is the one that serves it".formatted(nic.name(), where),
          Recovery.GIVE_UP);
    }
  }

  private static boolean isSame(BackEndAddress one, BackEndAddress other) {
    return one instanceof BackEndAddress.Socket(Path a)
        && other instanceof BackEndAddress.Socket(Path b)
        && a.toAbsolutePath().normalize().equals(b.toAbsolutePath().normalize());
  }

  private Spare spare(BackEndAddress where) {
    Spare[] made = new Spare[1];
    made[0] =
        new Spare(
            nic.search(
                where,
                found -> {
                  if (isWanted(made[0]) && !closed) {
                    came(made[0], found);
                  } else {
                    found.close();
                  }
                },
                failure -> notFound(made[0], failure)));
    return made[0];
  }

  private boolean isWanted(Spare spare) {
    return spare == standby || (moving != null && spare == moving.spare());
  }

  private void notFound(Spare spare, VhostException why) {
    spare.notFound(why);
    if (moving != null && moving.spare() == spare && why.recovery() == Recovery.GIVE_UP) {
      failed(moving, String.valueOf(why.getMessage()), Recovery.GIVE_UP);
    } else {
      nic.history().failed(why);
    }
  }

  private void came(Spare spare, VhostDevice found) {
    spare.connected(new SwitchConnection(found));
    try {
      nic.requireEnough(found);
    } catch (VhostException e) {
      lost(spare, e);
    }
  }

  private void lost(Spare spare, VhostException why) {
    spare.lost(why);
    nic.history().failed(why);
    if (moving != null && moving.spare() == spare) {
      failed(moving, "the other switch is of no use: " + why.getMessage(), again(why));
    }
  }

  /** What the operator can do: a connection that is lost is one that can be made again. */
  private static Recovery again(VhostException why) {
    return why.recovery() == Recovery.GIVE_UP ? Recovery.GIVE_UP : Recovery.RETRY;
  }

  private void failed(Move move, String why, Recovery recovery) {
    move.spare().close();
    moving = null;
    log.warn("{}: the move has failed: {}", nic.name(), why);
    nic.history().moved(move.where(), System.nanoTime(), why);
    if (move.stoodBy() && !closed) {
      standby(move.where());
    }
    move.result()
        .completeExceptionally(
            new VhostException(
                "%s: it was not moved, and stays where it was: %s".formatted(nic.name(), why),
                recovery));
  }

  /** The front end stops the device, which cannot be moved amid that. */
  void deviceStops() {
    if (moving != null) {
      failed(moving, "the front end has stopped the device", Recovery.RETRY);
    }
  }

  /** The front end has gone: only the end of a connection undoes what a spare was told. */
  void frontEndWent() {
    if (moving != null) {
      failed(moving, "the front end has gone", Recovery.RETRY);
    }
    if (standby != null) {
      standby.disconnect();
    }
  }

  // ---- what is done from time to time ----

  /** {@return how long until something is due, in nanoseconds} */
  long nanosLeft() {
    long nanos = Long.MAX_VALUE;
    if (standby != null) {
      nanos = standby.nanosLeft();
    }
    if (moving != null) {
      nanos = Math.min(nanos, moving.deadline().remainingNanos());
      nanos = Math.min(nanos, moving.spare().nanosLeft());
    }
    return nanos;
  }

  /** Prepares the spares, moves to one that is ready, and takes the standby where it is needed. */
  void doWhatIsDue() {
    if (standby != null) {
      prepare(standby);
    }
    if (moving != null) {
      prepare(moving.spare());
    }
    Move move = moving; // unless its spare was lost right now
    if (move != null && move.deadline().expired()) {
      failed(
          move,
          "the other switch was not ready in time: " + move.spare().whyNotReady(),
          Recovery.RETRY);
    } else if (move != null) {
      carryOut(move);
    }
    takeStandby();
  }

  /** Connects a spare, and tells it early what the device has. */
  private void prepare(Spare spare) {
    SwitchConnection at = spare.connection();
    if (at == null) {
      spare.search().attempt();
      return;
    }
    if (serving.state() != NicState.RUNNING
        || at.isBusy()
        || spare.isPreset(changes.newest())
        || !changes.areSettled()) {
      return;
    }
    try {
      nic.requireEnough(at.device()); // the device may have changed since the spare came
      if (turn.test(at)) {
        spare.tells(changes.newest());
        at.preset(nic.device().desired(Lifecycle.RUNNING, at.capabilities()), nic.presetup());
        advance(spare);
      }
    } catch (VhostException e) {
      lost(spare, e);
    }
  }

  /** The connection to the standby is ready. */
  void standbyIsReady() {
    if (standby != null) {
      advance(standby);
    }
  }

  /** The connection to the target of a move is ready. */
  void targetIsReady() {
    if (moving != null) {
      advance(moving.spare());
    }
  }

  private void advance(Spare spare) {
    VhostException gone = spare.advance(nic.answer());
    if (gone != null) {
      lost(spare, gone);
    }
  }

  /** Moves, if the other switch is ready. A device that does not run needs no presetup. */
  private void carryOut(Move move) {
    SwitchConnection target = move.spare().connection();
    boolean ready = serving.state() != NicState.RUNNING || move.spare().isPreset(changes.newest());
    if (target == null || target.isBusy() || !ready) {
      return;
    }
    try {
      nic.requireEnough(target.device());
    } catch (VhostException e) {
      failed(move, "the other switch is of no use: " + e.getMessage(), again(e));
      return;
    }
    if (serving.isSilent()) {
      failed(move, serving.whySilent(), Recovery.RETRY);
      return;
    }
    long begin = System.nanoTime();
    String failure = run.moveTo(target, move.spare().takeInflight());
    if (failure != null) {
      failed(move, failure, Recovery.RETRY); // closes the new one
      awaitLettingGo(move);
      run.goOn();
      return;
    }
    long micros = (System.nanoTime() - begin) / 1_000;
    BackEndAddress where = target.options().address();
    moving = null;
    move.spare().leaveConnection();
    move.spare().close();
    nic.history().moved(where, begin, null);
    log.info("{}: moved to {} in {} us", nic.name(), where, micros);
    move.result().complete(new MoveResult(where.toString(), micros));
  }

  /** Two must not serve the same rings. A switch that hangs is not waited for any longer. */
  private void awaitLettingGo(Move move) {
    try {
      move.spare().search().ask(LETS_GO);
    } catch (VhostException e) {
      log.debug("{}: {} is not seen to let go: {}", nic.name(), move.where(), e.getMessage());
    }
  }

  /** The switch is gone: its standby serves, which holds everything but where the rings are. */
  private void takeStandby() {
    Spare other = standby;
    SwitchConnection now = other == null ? null : other.connection();
    if (other == null
        || now == null
        || serving.state() != NicState.NO_SWITCH
        || serving.connection() != null
        || serving.isSilent()) {
      return;
    }
    boolean preset = other.isPreset(changes.newest());
    VhostException unusable = other.finish(nic.answer());
    try {
      nic.requireEnough(now.device());
    } catch (VhostException e) {
      unusable = e;
    }
    if (unusable != null) {
      lost(other, unusable);
      return;
    }
    InflightRegion made = other.takeInflight();
    if (nic.device().inflight() == null) {
      nic.device().keepInflight(made);
    } else if (made != null) {
      made.file().close();
    }
    other.leaveConnection();
    serving.serves(now);
    run.replay(preset ? nic.answer() : nic.presetup());
    if (serving.connection() == now) {
      serving.staysAt(now.options().address());
      other.close();
      standby = null;
      log.info("{}: the standby {} serves it now", nic.name(), serving.address());
    } else if (serving.isSilent()) {
      other.close(); // it is no standby any more: nobody else may serve
      standby = null;
    } else {
      other.notFound(null);
    }
  }

  /** {@return where the standby is, as operators write it; empty: there is none} */
  String savedStandby() {
    return standby == null ? "" : SwitchSockets.text(standby.search().options().address());
  }

  /** {@return the standby as it is shown; null: there is none} */
  NicStatus.@Nullable Standby status() {
    return standby == null
        ? null
        : new NicStatus.Standby(
            standby.search().options().address().toString(), standby.isPreset(changes.newest()));
  }

  @Override
  public void close() {
    closed = true;
    if (moving != null) {
      failed(moving, "the mediator ends", Recovery.GIVE_UP);
    }
    if (standby != null) {
      standby.close();
    }
  }
}
