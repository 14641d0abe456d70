package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndAddress;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.time.Duration;
import java.util.Collections;
import java.util.List;

/**
 * A device on which the stop window is rehearsed: like the one that it stands for, but its back end
 * is a {@link RehearsalPeer} and its notifiers wake nobody. What is walked is the very code that
 * the real window walks, through the very same calls.
 *
 * <pre>
 *   rehearsal --&gt; preset --&gt; [ restore --&gt; DeviceStart.start --&gt; rewind ] again and again
 * </pre>
 *
 * <p>For one thread.
 */
public final class RehearsalDevice implements AutoCloseable {
  private final RingNotifiers notifiers;
  private final RehearsalPeer peer;
  private final VhostNet net;
  private final Deadline within;
  private Shadow early = Shadow.nothingTold();

  RehearsalDevice(
      VhostDeviceOptions original,
      BackEndCapabilities capabilities,
      VirtioNet model,
      GuestMemory memory,
      Deadline within) {
    this.within = within;
    if (within.expired()) { // a peer that answers at once would never make it fail
      throw new VhostException(
          original.name() + ": there is no time left to rehearse", Recovery.RETRY);
    }
    DescriptorLedger ledger = original.ledger();
    String name = original.name() + " rehearsal";
    // One pair for all rings: nobody listens, and a device may have hundreds.
    notifiers = RingNotifiers.create(ledger, name, 1).getFirst();
    try {
      peer = new RehearsalPeer(name, ledger, capabilities);
    } catch (RuntimeException e) {
      notifiers.close();
      throw e;
    }
    VhostDeviceOptions options =
        original
            .at(new BackEndAddress.Connected(peer.frontEnd()))
            .withEvents(BackEndEvents.NONE)
            .withObserver(Rehearsed.SILENTLY)
            .withBounds(left(within), left(within), left(within))
            .withProtocolFeatures(capabilities.protocolFeatures());
    List<RingNotifiers> all = Collections.nCopies(2 * model.maxQueuePairs(), notifiers);
    try {
      net = VhostNet.connect(model, memory, all, options);
    } catch (RuntimeException e) {
      peer.close();
      notifiers.close();
      throw e;
    }
  }

  /** A bound is never zero; one that has passed fails at its first wait. */
  private static Duration left(Deadline within) {
    return Duration.ofNanos(Math.max(1, within.remainingNanos()));
  }

  /** {@return the device, which is closed with this} */
  public VhostNet net() {
    return net;
  }

  /**
   * Sets it up early. Its start is planned when it is due until {@link #prepareStart}.
   *
   * @param mode how the real device was set up
   * @param state the early one
   * @throws VhostException it does not work, and cannot be rehearsed
   */
  public void preset(PresetupMode mode, VirtioNetState state) {
    var wanted = List.of(new VhostNetGroup.EarlyState(net, state, 1));
    VhostNetGroup.presetup(mode, wanted, within::expired);
    early = net.shadow();
  }

  /**
   * Makes the start ahead of time, for every window from here on. Belongs behind {@link #preset} or
   * {@link #rewind}.
   *
   * @param state the early one
   */
  public void prepareStart(VirtioNetState state) {
    net.migration().prepareStart(state);
  }

  /** Goes back to where {@link #preset} left it, with a start that was prepared as good as new. */
  public void rewind() {
    net.migration().rewind(early);
  }

  /** Ends its peer, and closes everything. */
  @Override
  public void close() {
    net.close();
    peer.close();
    notifiers.close();
  }
}
