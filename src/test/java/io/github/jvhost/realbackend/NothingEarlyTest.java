package io.github.jvhost.realbackend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.mediate.FrontEndAddress;
import io.github.jvhost.mediate.Mediator;
import io.github.jvhost.mediate.MediatorOptions;
import io.github.jvhost.mediate.NicOptions;
import io.github.jvhost.mediate.NicStatus;
import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.mediate.peer.PeerAddress;
import io.github.jvhost.mediate.peer.PeerLink;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;

/**
 * testpmd sends packets all the time. A mediator tells it early of rings with buffers that wait.
 * Until the device starts, no byte of the guest's memory changes.
 *
 * <pre>
 *   0x10000 x (ring + 1): descriptors   +0x2000: available   +0x3000: used
 *   0x100000: 200 buffers of 2 KiB for the receive ring     all else: 0xa5
 * </pre>
 */
@Timeout(60)
@ResourceLock("real back ends")
class NothingEarlyTest {
  private static final long RAM = 16 << 20;
  private static final long USER = 0x7f00_0000_0000L;
  private static final int ENTRIES = 256;
  private static final int BUFFERS = 200;
  private static final int BUFFER = 2048;
  private static final int WRITABLE = 2;
  private static final byte CANARY = (byte) 0xa5;
  private static final long ATTEMPTS = 100_000;
  private static final long FEATURES =
      NetFeature.maskOf(NetFeature.VERSION_1, NetFeature.MRG_RXBUF);

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private Path directory;

  @BeforeEach
  void isInstalled() throws IOException {
    Optional<String> reason = Testpmd.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    directory = Files.createTempDirectory("jvhost");
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    assertThat(ledger.describeOpen()).isEmpty();
    if (directory != null) {
      Files.delete(directory);
    }
  }

  private static Deadline deadline() {
    return Deadline.after(Duration.ofSeconds(30));
  }

  private Path file(String name) {
    return directory.resolve(name);
  }

  private Mediator mediator() {
    NicOptions nic =
        NicOptions.of(
            "net0",
            new FrontEndAddress.Listen(file("net0")),
            new BackEndAddress.Socket(file("switch")),
            BackEndProfile.DPDK);
    return Mediator.start(
        MediatorOptions.of(List.of(nic)).withPeer(file("peer").toString()), ledger);
  }

  @Test
  void aSwitchThatIsToldEarlyWritesOnlyAfterTheStart() {
    try (var theSwitch =
            Testpmd.builder().port(file("switch")).transmits().nice().start(deadline());
        var peer =
            PeerLink.open(PeerAddress.parse("listen:" + file("peer")), new Silent()).begin();
        var mediator = mediator();
        var file = MemoryFile.create(ledger, "guest memory", RAM);
        var mapping = file.map(0, RAM);
        var frontEnd = new FrontEnd(file)) {
      frontEnd.connect();
      MemorySegment ram = mapping.segment();
      fill(ram);
      byte[] before = ram.toArray(ValueLayout.JAVA_BYTE);

      peer.publish(Hint.configuration("net0", 1, hint()));
      Await.until(
          () -> "preset: " + mediator.status(),
          () ->
              mediator.status().stream().map(NicStatus::state).toList().equals(List.of("PRESET")));
      // It tries to send packets to this port, and fails: counted.
      long attempts = dropped(theSwitch) + ATTEMPTS;
      Await.until(() -> "more packets", () -> dropped(theSwitch) > attempts);

      assertThat(ram.mismatch(MemorySegment.ofArray(before)))
          .as("first byte written")
          .isEqualTo(-1);

      frontEnd.start();
      Await.until(() -> "all buffers used: " + used(ram), () -> used(ram) == BUFFERS);
      assertThat(ram.mismatch(MemorySegment.ofArray(before))).isNotEqualTo(-1);
    }
  }

  private static long dropped(Testpmd testpmd) {
    return testpmd.statistics(deadline()).getFirst().txDropped();
  }

  private static int used(MemorySegment ram) {
    return Short.toUnsignedInt(
        (short) ValueLayout.JAVA_SHORT.varHandle().getAcquire(ram, addresses(0).used() + 2));
  }

  private static void fill(MemorySegment ram) {
    ram.fill(CANARY);
    for (int ring = 0; ring < 2; ring++) {
      ram.asSlice(addresses(ring).descriptor(), 0x4000).fill((byte) 0);
    }
    RingAddresses receive = addresses(0);
    for (int i = 0; i < BUFFERS; i++) {
      long descriptor = receive.descriptor() + 16L * i;
      ram.set(ValueLayout.JAVA_LONG, descriptor, 0x100000L + (long) i * BUFFER);
      ram.set(ValueLayout.JAVA_INT, descriptor + 8, BUFFER);
      ram.set(ValueLayout.JAVA_SHORT, descriptor + 12, (short) WRITABLE);
      ram.set(ValueLayout.JAVA_SHORT, receive.available() + 4 + 2L * i, (short) i);
    }
    ram.set(ValueLayout.JAVA_SHORT, receive.available() + 2, (short) BUFFERS);
  }

  private static RingAddresses addresses(int ring) {
    long at = 0x10000L * (ring + 1);
    return new RingAddresses(at, at + 0x3000, at + 0x2000);
  }

  private static Hint.Content hint() {
    List<Hint.Ring> rings = new ArrayList<>();
    for (int ring = 0; ring < 2; ring++) {
      rings.add(new Hint.Ring(ring, ENTRIES, addresses(ring), true));
    }
    return new Hint.Content(FEATURES, null, List.of(new Hint.Region(0, RAM, 0, 0, RAM)), rings);
  }

  private static final class Silent implements PeerLink.Listener {
    @Override
    public void connected() {}

    @Override
    public void received(Hint hint) {}

    @Override
    public void lost(String reason) {}
  }

  /** What QEMU 7.2 says: when it connects, and when a guest has arrived. */
  private final class FrontEnd implements AutoCloseable {
    private final MemoryFile memory;
    private final VhostUserChannel channel;
    private final EventFd kick = EventFd.create(ledger, "kick");
    private final EventFd call = EventFd.create(ledger, "call");

    FrontEnd(MemoryFile memory) {
      this.memory = memory;
      channel =
          VhostUserChannel.connect(file("net0"), "front end", Dialect.UPSTREAM, ledger, deadline());
    }

    void connect() {
      ask(FrontEndRequest.GET_FEATURES);
      ask(FrontEndRequest.GET_PROTOCOL_FEATURES);
      long wanted = ProtocolFeature.maskOf(ProtocolFeature.REPLY_ACK, ProtocolFeature.STATUS);
      say(FrontEndRequest.SET_PROTOCOL_FEATURES, new U64(wanted));
      channel.negotiated(wanted);
      say(FrontEndRequest.SET_OWNER, NoPayload.INSTANCE);
      for (int ring = 0; ring < 2; ring++) {
        signal(FrontEndRequest.SET_VRING_CALL, ring, call);
        say(FrontEndRequest.SET_VRING_ENABLE, new VringState(ring, 1));
      }
    }

    void start() {
      say(FrontEndRequest.SET_FEATURES, new U64(FEATURES | VhostFeature.PROTOCOL_FEATURES));
      say(
          FrontEndRequest.SET_MEM_TABLE,
          new MemoryTablePayload(List.of(new MemoryRegionPayload(0, RAM, USER, 0))),
          memory.descriptor());
      for (int ring = 0; ring < 2; ring++) {
        RingAddresses at = addresses(ring);
        say(FrontEndRequest.SET_VRING_NUM, new VringState(ring, ENTRIES));
        say(FrontEndRequest.SET_VRING_BASE, new VringState(ring, 0));
        say(
            FrontEndRequest.SET_VRING_ADDR,
            new VringAddress(
                ring,
                0,
                USER + at.descriptor(),
                USER + at.used(),
                USER + at.available(),
                at.used()));
        signal(FrontEndRequest.SET_VRING_KICK, ring, kick);
        signal(FrontEndRequest.SET_VRING_CALL, ring, call);
      }
      say(FrontEndRequest.SET_STATUS, new U64(DeviceStatus.RUNNING));
      channel.flush(deadline());
    }

    private void ask(FrontEndRequest request) {
      say(request, NoPayload.INSTANCE);
      channel.awaitReply(deadline());
    }

    private void signal(FrontEndRequest request, int ring, EventFd eventfd) {
      say(request, new VringDescriptor(ring, false), eventfd.descriptor());
    }

    private void say(FrontEndRequest request, Payload payload, OwnedDescriptor... files) {
      channel.send(request, payload, List.of(files), false, deadline());
    }

    @Override
    public void close() {
      channel.close();
      kick.close();
      call.close();
    }
  }
}
