package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.VhostDevice;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * What the parts of one NIC's {@link NicService} share.
 *
 * @param options of the NIC
 * @param ledger where descriptors are recorded
 * @param around the mediator around it
 * @param device as the front end has described it
 * @param history of the NIC
 */
record NicShared(
    NicOptions options,
    DescriptorLedger ledger,
    Surroundings around,
    FrontEndDevice device,
    NicHistory history) {
  private static final Logger log = LoggerFactory.getLogger(NicShared.class);

  /** What a NIC needs of the mediator around it. */
  interface Surroundings {
    /**
     * Has the NIC's thread run something later; false if it has ended. Any thread may call this.
     */
    boolean post(Runnable task);

    /**
     * {@return the address that operators write so} Listens there, if it says so.
     *
     * @throws VhostException (GIVE_UP) if that is not possible
     */
    BackEndAddress address(String text);

    /** Tells the other mediator something about this NIC. Does not wait. */
    void publish(Hint hint);

    /** Keeps what the device had when it started. Does not wait. */
    void remember(Hint hint);

    /** Saves the NIC as one whose switch may hold anything, because a move begins. */
    void saveAsHalfTold();

    /** What a mediator that takes over has to know has changed: it is saved soon. */
    void hasChanged();

    /**
     * Takes the turn to preset, if it is free; otherwise the thread is woken when it is.
     *
     * @param process of the switch
     */
    boolean takeTurn(int process);

    void giveTurnBack();
  }

  String name() {
    return options.name();
  }

  /** {@return how loudly it is said what happens to this NIC} */
  Level level() {
    return name().equals(NicRehearsal.NAME) ? Level.DEBUG : Level.INFO;
  }

  /** {@return until when a switch may answer what the front end waits for} */
  Deadline answer() {
    return Deadline.after(options.answersWithin());
  }

  /** {@return until when a switch may take what it is told early, or all at once} */
  Deadline presetup() {
    return Deadline.after(options.presetupWithin());
  }

  /**
   * {@return a search that has not begun}
   *
   * @param where the switch is
   * @param found takes what was found, on the NIC's thread
   * @param failed is told why an attempt failed, on the NIC's thread
   */
  SwitchSearch search(
      BackEndAddress where, Consumer<VhostDevice> found, Consumer<VhostException> failed) {
    return new SwitchSearch(
        SwitchSearch.options(options, where, ledger),
        came -> {
          if (!around.post(() -> found.accept(came))) {
            came.close();
          }
        },
        failure -> {
          var _ = around.post(() -> failed.accept(failure));
        });
  }

  /** {@return an address that an earlier mediator has saved; null if it cannot be listened at} */
  @Nullable BackEndAddress saved(String address) {
    try {
      return around.address(address);
    } catch (VhostException e) {
      log.warn("{}: a switch is not taken over: {}", name(), e.getMessage());
      return null;
    }
  }

  /**
   * Checks a switch that could serve the device.
   *
   * @throws VhostException (GIVE_UP) if it lacks what the front end uses
   */
  void requireEnough(VhostDevice theSwitch) {
    String missing = Needs.missing(device, device.inflight() != null, theSwitch.capabilities());
    if (!missing.isEmpty()) {
      throw new VhostException(
          "%s: the switch lacks what the front end uses: %s".formatted(name(), missing),
          Recovery.GIVE_UP);
    }
  }
}
