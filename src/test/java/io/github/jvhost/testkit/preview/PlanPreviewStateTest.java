package io.github.jvhost.testkit.preview;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.Bytes;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.RssState;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** What is left out of a saved state so that it can be planned, and that it can be then. */
class PlanPreviewStateTest {
  private static final PlanPreviewBackEnd EXPLICIT = PlanPreviewBackEnd.explicit(Dialect.RFC_2023);

  /** A running device with so many queue pairs. */
  private static VirtioNetState running(int pairs) {
    VirtioNet device = VirtioNet.builder("net0").maxQueuePairs(pairs).build();
    device.setStatus(3);
    device.setDriverFeatures(device.deviceFeatures());
    device.setStatus(0xb);
    for (int ring = 0; ring < device.queueCount(); ring++) {
      long at = (ring + 1L) << 16;
      device.configureQueue(ring, 64, at, at + 0x1000, at + 0x2000);
    }
    device.setStatus(0xf);
    return device.snapshot();
  }

  private static VirtioNetState with(
      VirtioNetState state,
      long features,
      long offloads,
      Optional<RssState> rss,
      Optional<List<Bytes>> backEnd) {
    return new VirtioNetState(
        state.offer(),
        state.transport(),
        state.common().withFeatures(features, 0),
        state.net().withGuestOffloads(offloads).withRss(rss).withBackEnd(backEnd),
        state.queues());
  }

  private static PlanPreview plan(VirtioNetState state) {
    DescriptorLedger ledger = DescriptorLedger.counting();
    try (GuestMemory memory = PlanPreviewMemory.of(64 << 20).allocate(ledger)) {
      return PlanPreview.of("net0", null, state, EXPLICIT, memory, ledger);
    }
  }

  @Test
  void spreadingByHashIsLeftOutAndItsRingsAreKept() {
    VirtioNetState pairs = running(2);
    long features =
        (pairs.common().features() & ~NetFeature.MQ.mask())
            | NetFeature.maskOf(NetFeature.RSS, NetFeature.HASH_REPORT);
    var rss =
        new RssState(
            true,
            true,
            true,
            0x3f,
            OptionalInt.empty(),
            0,
            Bytes.copyOf(new byte[RssState.KEY_BYTES]),
            Collections.nCopies(128, 0));
    VirtioNetState saved =
        with(pairs, features, pairs.net().guestOffloads(), Optional.of(rss), Optional.empty());

    PlanPreviewState planned = PlanPreviewState.of(saved, EXPLICIT);

    assertThat(planned.without()).containsExactlyInAnyOrder("HASH_REPORT", "RSS");
    assertThat(plan(planned.state()).stopWindow().isEmpty()).isFalse();
  }

  @Test
  void theStateOfABackEndIsNoStepOfAPlan() {
    VirtioNetState state = running(1);
    List<Bytes> chunks = List.of(Bytes.zeros(1000), Bytes.zeros(24));
    VirtioNetState saved =
        with(
            state,
            state.common().features(),
            state.net().guestOffloads(),
            Optional.empty(),
            Optional.of(chunks));

    PlanPreviewState planned = PlanPreviewState.of(saved, EXPLICIT);

    assertThat(planned.without()).containsExactly("the state of its back end (1024 bytes)");
    assertThat(planned.state()).isEqualTo(state);
  }

  @Test
  void aStateThatCanBePlannedStaysAsItIs() {
    VirtioNetState state = running(2);

    assertThat(PlanPreviewState.of(state, EXPLICIT))
        .isEqualTo(new PlanPreviewState(state, List.of(), List.of()));
  }
}
