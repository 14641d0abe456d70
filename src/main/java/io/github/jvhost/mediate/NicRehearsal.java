package io.github.jvhost.mediate;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.SocketPair;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.user.RehearsalPeer;
import io.github.jvhost.vhost.user.VhostUserFrontEnd;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts and stops a device again and again between a front end and a switch of its own, in this
 * process, so that the code of a window is compiled before the first front end needs it. The first
 * window of a mediator is often the only one that matters.
 */
final class NicRehearsal {
  /**
   * The name of the NIC that is rehearsed with. What happens to it is not recorded, and not logged
   * as usual.
   */
  static final String NAME = "rehearsal";

  private static final Logger log = LoggerFactory.getLogger(NicRehearsal.class);
  private static final Duration PATIENCE = Duration.ofSeconds(10);
  private static final long FEATURES =
      NetFeature.VERSION_1.mask() | VhostFeature.PROTOCOL_FEATURES | VhostFeature.LOG_ALL;
  private static final int RINGS = 2;
  private static final int ENTRIES = 256;
  private static final long MEMORY = 1 << 20;
  private static final long USER_ADDRESS = 0x7f00_0000_0000L;
  private static final int RING_BYTES = 0x4000;

  private NicRehearsal() {}

  /**
   * Rehearses.
   *
   * @param profile of the switches that will serve
   * @param longest how long at most
   * @return how many windows were rehearsed
   */
  static int run(BackEndProfile profile, Duration longest, DescriptorLedger ledger) {
    long offered = Offer.TO_THE_SWITCH & ~ProtocolFeature.INFLIGHT_SHMFD.mask();
    var can = new BackEndCapabilities(FEATURES, offered, 1, Dialect.UPSTREAM, profile);
    int rounds = 0;
    try (var theSwitch = new RehearsalPeer(NAME, ledger, can);
        var sockets = SocketPair.open(ledger, NAME);
        var memory = MemoryFile.create(ledger, NAME, MEMORY);
        var event = EventFd.create(ledger, NAME);
        var channel = VhostUserChannel.adopt(sockets.one(), NAME, Dialect.UPSTREAM, ledger);
        var _ = nic(sockets, theSwitch, profile, ledger)) {
      channel.unrecorded();
      var frontEnd = new VhostUserFrontEnd(channel, PATIENCE);
      connect(frontEnd);
      Deadline end = Deadline.after(longest);
      do {
        start(frontEnd, memory, event);
        stop(frontEnd);
        rounds++;
      } while (!end.expired());
    } catch (VhostException e) {
      log.debug("the rehearsal ended early", e);
    }
    return rounds;
  }

  private static Nic nic(
      SocketPair sockets,
      RehearsalPeer theSwitch,
      BackEndProfile profile,
      DescriptorLedger ledger) {
    NicOptions options =
        NicOptions.of(
            NAME,
            new FrontEndAddress.Connected(sockets.other()),
            new BackEndAddress.Connected(theSwitch.frontEnd()),
            profile);
    return Nic.start(
        options,
        new Nic.Together(
            ledger,
            new PresetTurns(),
            _ -> {},
            new RememberedStarts(null),
            null,
            Map.of(),
            new SwitchSockets()));
  }

  private static void connect(VhostUserFrontEnd frontEnd) {
    frontEnd.getFeatures();
    frontEnd.setProtocolFeatures(frontEnd.getProtocolFeatures());
    frontEnd.setOwner();
  }

  private static void start(VhostUserFrontEnd frontEnd, MemoryFile memory, EventFd event) {
    frontEnd.setFeatures(FEATURES & ~VhostFeature.LOG_ALL);
    frontEnd.getStatus();
    frontEnd.setStatus(DeviceStatus.FEATURES_OK);
    frontEnd.setMemTable(
        List.of(new MemoryRegionPayload(0, MEMORY, USER_ADDRESS, 0)), List.of(memory.descriptor()));
    for (int ring = 0; ring < RINGS; ring++) {
      long at = USER_ADDRESS + (long) RING_BYTES * ring;
      frontEnd.setVringEnable(ring, true);
      frontEnd.setVringNum(ring, ENTRIES);
      frontEnd.setVringBase(ring, 0);
      frontEnd.setVringAddr(
          new VringAddress(ring, 0, at, at + RING_BYTES / 2, at + RING_BYTES / 4, 0));
      frontEnd.setVringKick(ring, event.descriptor());
      frontEnd.setVringCall(ring, event.descriptor());
    }
    frontEnd.setStatus(DeviceStatus.RUNNING);
    frontEnd.getStatus();
  }

  private static void stop(VhostUserFrontEnd frontEnd) {
    frontEnd.setStatus(0);
    for (int ring = 0; ring < RINGS; ring++) {
      frontEnd.getVringBase(ring);
    }
  }
}
