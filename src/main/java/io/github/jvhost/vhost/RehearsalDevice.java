package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndEvents;
import io.github.jvhost.vhost.plan.BackEndProtocol;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.user.RehearsalPeer;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A device on which the stop window is rehearsed. It is like the real device, but its back end is a
 * {@link RehearsalPeer}, or system calls that do nothing, and its eventfds wake no thread. It runs
 * the code that the real window runs, through the same calls.
 *
 * <pre>
 *   rehearsal --&gt; preset --&gt; [ restore --&gt; DeviceStart.start --&gt; rewind ] again and again
 * </pre>
 *
 * <p>For one thread.
 */
public final class RehearsalDevice implements AutoCloseable {
  private final RingEventfds eventfds;
  private final @Nullable RehearsalPeer peer;
  private final VhostNet net;
  private final Deadline within;
  private Shadow early = Shadow.nothingHeld();

  RehearsalDevice(
      VhostDeviceOptions original,
      BackEndCapabilities capabilities,
      VirtioNet model,
      DeviceMemory memory,
      List<Translation> hints,
      Deadline within) {
    this.within = within;
    if (within.expired()) { // a peer that answers at once never waits, so no deadline would be seen
      throw new VhostException(
          original.name() + ": there is no time left to rehearse", Recovery.RETRY);
    }
    DescriptorLedger ledger = original.ledger();
    String name = original.name() + " rehearsal";
    // One pair for all rings: no thread reads it, and a device may have hundreds of rings.
    eventfds = RingEventfds.create(ledger, name, 1).getFirst();
    boolean user = capabilities.protocol() instanceof BackEndProtocol.VhostUser;
    try {
      peer = user ? new RehearsalPeer(name, ledger, capabilities) : null;
    } catch (RuntimeException e) {
      eventfds.close();
      throw e;
    }
    VhostDeviceOptions options =
        (peer == null ? original : original.at(new BackEndAddress.Connected(peer.frontEnd())))
            .withEvents(BackEndEvents.NONE)
            .withObserver(RecordsNothing.OBSERVER)
            .withBounds(left(within), left(within), left(within))
            .withProtocolFeatures(capabilities.protocolFeatures());
    model.onChange(_ -> {}); // an embedder's device has listeners, which are called in the window
    List<RingEventfds> all = Collections.nCopies(2 * model.maxQueuePairs(), eventfds);
    try {
      GuestMemory guest = memory.guest();
      Iommu iommu =
          memory.translated() ? new RehearsalIommu(hints, guest.table().regions()) : Iommu.NONE;
      var seen = new DeviceMemory(guest, iommu);
      net =
          peer != null
              ? VhostNet.connect(model, seen, all, options)
              : VhostNet.over(
                  model,
                  new DeviceTranslations(name, seen),
                  new EventfdTable(all),
                  options,
                  () -> Carriers.rehearsed(options, capabilities));
      net.migration().isRehearsal();
      net.migration().expectTranslations(hints);
      net.serviceControlQueue(); // its code is loaded; without a driver there is nothing to serve
    } catch (RuntimeException e) {
      closePeer();
      eventfds.close();
      throw e;
    }
  }

  /** The time that is left, at least 1 ns because a bound must be positive. */
  private static Duration left(Deadline within) {
    return Duration.ofNanos(Math.max(1, within.remainingNanos()));
  }

  /** {@return the device, which is closed with this} */
  public VhostNet net() {
    return net;
  }

  /**
   * Presets it. Until {@link #prepareStart} is called, its start is planned when it is due.
   *
   * @param mode in which the real device was preset
   * @param state the early state
   * @throws VhostException if that fails, so that nothing can be rehearsed
   */
  public void preset(PresetupMode mode, VirtioNetState state) {
    var wanted = List.of(new VhostNetGroup.EarlyState(net, state, 1));
    VhostNetGroup.presetupUnrehearsed(mode, wanted, within::expired);
    early = net.shadow();
  }

  /**
   * Prepares the start, for every window from now on. Call it after {@link #preset}.
   *
   * @param state the early state
   */
  public void prepareStart(VirtioNetState state) {
    net.migration().prepareStart(state);
  }

  /**
   * Goes back to the state after {@link #preset}; a prepared start can be used again.
   *
   * @param changed whether the next start is to find that the device has changed since it was
   *     prepared, so that it is planned again
   */
  public void rewind(boolean changed) {
    net.migration().rewind(early, changed);
  }

  /** Ends its peer, and closes everything. */
  @Override
  public void close() {
    net.close();
    closePeer();
    eventfds.close();
  }

  private void closePeer() {
    if (peer != null) {
      peer.close();
    }
  }
}
