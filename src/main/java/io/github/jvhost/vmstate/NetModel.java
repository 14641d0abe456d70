package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.CommonState;
import io.github.jvhost.virtio.HostOffer;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A virtio-net section while it is written or read: the values as they stand in the stream, and
 * which of its optional parts are there. {@link StateOfModel} makes a {@link VirtioNetState} of it.
 */
final class NetModel {
  final SectionShape shape;
  private final boolean pairsUnknown;

  // Transport.
  boolean modern;
  int pciVersion = 2;
  byte[] configSpace = {};
  int[] interruptLevels = new int[TransportState.Pci.INTERRUPT_LINES];
  int msixVectors;
  byte[] msixTable = {};
  byte[] msixPending = {};
  int configVector = SavedQueue.NO_VECTOR;
  int deviceFeatureSelect;
  int guestFeatureSelect;
  int guestPageShift;
  long proxyFeatures;
  boolean proxyFeaturesHighSaved;
  long proxyFeaturesHigh;

  // Common.
  int status;
  int isr;
  int queueSelect;
  int featuresLow;
  boolean above31;
  long features;
  boolean above63;
  long featuresHigh;
  int configLength;
  byte[] config = {};
  int queueCount;
  int endian;
  boolean addressesSaved;
  boolean defaultSizesSaved;
  boolean packedSaved;
  boolean broken;
  boolean started;
  boolean disabled;

  // virtio-net.
  MacAddress mac = MacAddress.ZERO;
  final List<Integer> txWaiting = new ArrayList<>();
  boolean mergeableBuffers;
  int netStatus;
  boolean promiscuous;
  boolean allMulticast;
  int macCount;
  final List<MacAddress> macs = new ArrayList<>();
  byte[] vlans = {};
  boolean vnetHeader;
  boolean multicastOverflow;
  boolean unicastOverflow;
  boolean allUnicast;
  boolean noMulticast;
  boolean noUnicast;
  boolean noBroadcast;
  boolean ufo;
  int maxQueuePairs = 1;
  int currentQueuePairs = 1;
  long guestOffloads;
  @Nullable RssModel rss;
  @Nullable List<Bytes> backEnd;

  private final @Nullable QueueModel[] queues = new @Nullable QueueModel[VirtioNetState.MAX_QUEUES];

  /** For a section of this shape, to be read or filled. */
  NetModel(SectionShape shape) {
    this(shape, false);
  }

  /**
   * For a section that is to be read.
   *
   * @param pairsUnknown the section has more than one queue pair, but nobody knows how many: it
   *     says so itself, and the shape's number does not count
   */
  NetModel(SectionShape shape, boolean pairsUnknown) {
    this.shape = shape;
    this.pairsUnknown = pairsUnknown;
  }

  boolean hasSeveralPairs() {
    return pairsUnknown || shape.maxQueuePairs() > 1;
  }

  boolean pairsAreThoseOfTheShape() {
    return pairsUnknown
        ? maxQueuePairs > 1 && maxQueuePairs <= NetState.MAX_PAIRS
        : maxQueuePairs == shape.maxQueuePairs();
  }

  boolean pci() {
    return shape.attachment() == SectionShape.Attachment.PCI;
  }

  boolean vectorAllowed(int vector) {
    return vector == SavedQueue.NO_VECTOR || vector < msixVectors;
  }

  QueueModel queue(int index) {
    QueueModel queue = queues[index];
    if (queue == null) {
      queue = new QueueModel(this);
      queues[index] = queue;
    }
    return queue;
  }

  @Nullable QueueModel queueOrNull(int index) {
    return queues[index];
  }

  RssModel rss() {
    RssModel model = rss;
    if (model == null) {
      model = new RssModel();
      rss = model;
    }
    return model;
  }

  /** The model of a state; what the parts' presence depends on is found out here. */
  static NetModel of(VirtioNetState state) {
    NetModel model = new NetModel(SectionShape.of(state));
    HostOffer offer = state.offer();
    model.above31 = offer.above31();
    model.above63 = offer.above63();
    model.addressesSaved = offer.version1();
    model.packedSaved = offer.ringPacked();
    model.transport(state.transport());
    model.common(state.common());
    model.queueCount = state.queueCount();
    for (int i = 0; i < state.queues().size(); i++) {
      SavedQueue queue = state.queues().get(i);
      model.queues[i] = new QueueModel(model, queue);
      model.defaultSizesSaved |= queue.size() != queue.defaultSize();
    }
    NetModelOfState.fill(model, state.net());
    return model;
  }

  private void transport(TransportState transport) {
    modern = transport.modern();
    proxyFeatures = transport.proxyFeatures();
    switch (transport) {
      case TransportState.Mmio mmio -> {
        deviceFeatureSelect = mmio.hostFeaturesSelect();
        guestFeatureSelect = mmio.guestFeaturesSelect();
        guestPageShift = mmio.guestPageShift();
      }
      case TransportState.Pci pci -> {
        configSpace = pci.configSpace().toArray();
        for (int i = 0; i < interruptLevels.length; i++) {
          interruptLevels[i] = pci.interruptLevels().get(i);
        }
        deviceFeatureSelect = pci.deviceFeatureSelect();
        guestFeatureSelect = pci.guestFeatureSelect();
        proxyFeaturesHighSaved = pci.proxyFeaturesHigh().isPresent();
        proxyFeaturesHigh = pci.proxyFeaturesHigh().orElse(0);
        pci.msix()
            .ifPresent(msix -> {
              msixVectors = msix.vectors();
              msixTable = msix.table().toArray();
              msixPending = msix.pending().toArray();
              configVector = msix.configVector();
            });
      }
    }
  }

  private void common(CommonState common) {
    status = common.status();
    isr = common.isr();
    queueSelect = common.queueSelect();
    features = common.features();
    featuresLow = (int) common.features();
    featuresHigh = common.featuresHigh();
    config = common.config().toArray();
    configLength = config.length;
    endian =
        switch (common.endian()) {
          case USUAL -> 0;
          case LITTLE -> 1;
          case BIG -> 2;
        };
    broken = common.broken();
    started = common.started();
    disabled = common.disabled();
  }
}
