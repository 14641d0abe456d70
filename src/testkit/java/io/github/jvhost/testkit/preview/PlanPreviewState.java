package io.github.jvhost.testkit.preview;

import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.virtio.CommonState;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.VirtioNetBuilder;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A saved state without the parts that no device of this library has, so that a {@link PlanPreview}
 * can show the rest. A device on a tap has features that no vhost-user device has; this library
 * cannot restore a device from such a state.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param state the state without these parts
 * @param without the parts that were left out because no device of this library has them, as text;
 *     empty if there are none
 * @param notOffered features that were left out because the assumed back end does not offer them. A
 *     guest that has negotiated them cannot arrive there
 */
public record PlanPreviewState(
    VirtioNetState state, List<String> without, List<String> notOffered) {
  /** Copies the lists. */
  public PlanPreviewState {
    without = List.copyOf(without);
    notOffered = List.copyOf(notOffered);
  }

  /**
   * {@return the part of the state that can be planned}
   *
   * @param saved the state from a stream
   * @param backEnd the assumed back end
   */
  public static PlanPreviewState of(VirtioNetState saved, PlanPreviewBackEnd backEnd) {
    CommonState common = saved.common();
    NetState net = saved.net();
    long unknown = common.features() & VirtioNetBuilder.NOT_EMULATED;
    long lacking = common.features() & notOffered(backEnd.capabilities()) & ~unknown;
    long foreign = unknown | lacking;
    List<String> without = new ArrayList<>(names(unknown));
    List<String> notOffered = names(lacking);
    for (int bit = 0; bit < Long.SIZE; bit++) {
      if ((common.featuresHigh() >>> bit & 1) != 0) {
        without.add("feature " + (Long.SIZE + bit));
      }
    }
    if (net.rss().isPresent() && !NetFeature.RSS.in(foreign)) {
      without.add("receive-side scaling");
    }
    net.backEnd()
        .ifPresent(chunks -> {
          long bytes = chunks.stream().mapToLong(chunk -> chunk.size()).sum();
          without.add("the state of its back end (%d bytes)".formatted(bytes));
        });
    if (without.isEmpty() && notOffered.isEmpty()) {
      return new PlanPreviewState(saved, without, notOffered);
    }
    long features = common.features() & ~foreign;
    if (NetFeature.RSS.in(foreign) && saved.queueCount() > 3) {
      // A driver may have more than one queue pair for RSS alone (virtio 1.2, 5.1.5). MQ allows
      // them too.
      features |= NetFeature.MQ.mask();
    }
    // A receive offload has the same number as its feature bit.
    long offloads =
        NetFeature.CTRL_GUEST_OFFLOADS.in(features) ? net.guestOffloads() & features : 0;
    VirtioNetState planned =
        new VirtioNetState(
            saved.offer(),
            saved.transport(),
            common.withFeatures(features, 0),
            net.withGuestOffloads(offloads).withRss(Optional.empty()).withBackEnd(Optional.empty()),
            saved.queues());
    return new PlanPreviewState(planned, without, notOffered);
  }

  private static List<String> names(long features) {
    return Arrays.stream(NetFeature.values())
        .filter(feature -> feature.in(features))
        .map(NetFeature::name)
        .toList();
  }

  private static long notOffered(BackEndCapabilities can) {
    boolean ringReset =
        NetFeature.RING_RESET.in(can.features()) && !can.profile().stopsWholeDevice();
    return can.uncontrolled() | (ringReset ? 0 : NetFeature.RING_RESET.mask());
  }
}
