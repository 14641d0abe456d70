package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.CommonState;
import io.github.jvhost.virtio.FilterState;
import io.github.jvhost.virtio.HostOffer;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.RssState;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Makes a state of a model that was read. What does not fit together is refused by the state's own
 * records.
 */
final class StateOfModel {
  private StateOfModel() {}

  /**
   * The state.
   *
   * @throws IllegalArgumentException when the parts do not fit together
   */
  static VirtioNetState of(NetModel model) {
    List<SavedQueue> queues = new ArrayList<>();
    for (int i = 0; i < VirtioNetState.MAX_QUEUES; i++) {
      QueueModel queue = model.queueOrNull(i);
      queues.add(queue == null ? SavedQueue.ABSENT : queue.toSaved());
    }
    return new VirtioNetState(
        new HostOffer(model.above31, model.above63, model.addressesSaved, model.packedSaved),
        model.pci() ? pci(model) : mmio(model),
        common(model),
        net(model),
        queues);
  }

  private static TransportState mmio(NetModel model) {
    return new TransportState.Mmio(
        model.modern,
        model.deviceFeatureSelect,
        model.guestFeatureSelect,
        model.guestPageShift,
        model.proxyFeatures);
  }

  private static TransportState pci(NetModel model) {
    Optional<TransportState.Msix> msix =
        model.msixVectors == 0
            ? Optional.empty()
            : Optional.of(
                new TransportState.Msix(
                    Bytes.copyOf(model.msixTable),
                    Bytes.copyOf(model.msixPending),
                    model.configVector));
    return new TransportState.Pci(
        model.modern,
        Bytes.copyOf(model.configSpace),
        Arrays.stream(model.interruptLevels).boxed().toList(),
        msix,
        model.deviceFeatureSelect,
        model.guestFeatureSelect,
        model.proxyFeatures,
        model.proxyFeaturesHighSaved
            ? OptionalLong.of(model.proxyFeaturesHigh)
            : OptionalLong.empty());
  }

  private static CommonState common(NetModel model) {
    return new CommonState(
        model.status,
        model.isr,
        model.queueSelect,
        model.above31 ? model.features : Integer.toUnsignedLong(model.featuresLow),
        model.featuresHigh,
        Bytes.copyOf(model.config),
        switch (model.endian) {
          case 0 -> CommonState.Endian.USUAL;
          case 1 -> CommonState.Endian.LITTLE;
          default -> CommonState.Endian.BIG;
        },
        model.broken,
        model.started,
        model.disabled);
  }

  private static NetState net(NetModel model) {
    return new NetState(
        model.mac,
        model.txWaiting,
        model.mergeableBuffers,
        model.netStatus,
        new FilterState(
            model.promiscuous,
            model.allMulticast,
            model.macs,
            Bytes.copyOf(model.vlans),
            model.multicastOverflow,
            model.unicastOverflow,
            model.allUnicast,
            model.noMulticast,
            model.noUnicast,
            model.noBroadcast),
        model.vnetHeader,
        model.ufo,
        model.maxQueuePairs,
        model.currentQueuePairs,
        model.guestOffloads,
        Optional.ofNullable(model.rss).map(StateOfModel::rss),
        Optional.ofNullable(model.backEnd));
  }

  private static RssState rss(RssModel model) {
    return new RssState(
        model.enabled,
        model.redirect,
        model.populateHash,
        model.hashTypes,
        model.supportedSaved ? OptionalInt.of(model.supportedHashTypes) : OptionalInt.empty(),
        model.defaultQueue,
        Bytes.copyOf(model.key),
        model.table);
  }
}
