package io.github.jvhost.vmstate;

import io.github.jvhost.virtio.FilterState;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.RssState;

/** Fills the network device's part of a model. */
final class NetModelOfState {
  private NetModelOfState() {}

  static void fill(NetModel model, NetState net) {
    model.mac = net.mac();
    model.txWaiting.addAll(net.txWaiting());
    model.mergeableBuffers = net.mergeableBuffers();
    model.netStatus = net.status();
    model.vnetHeader = net.vnetHeader();
    model.ufo = net.ufo();
    model.maxQueuePairs = net.maxQueuePairs();
    model.currentQueuePairs = net.currentQueuePairs();
    model.guestOffloads = net.guestOffloads();
    filters(model, net.filters());
    net.rss().ifPresent(rss -> rss(model.rss(), rss));
    net.backEnd().ifPresent(chunks -> model.backEnd = chunks);
  }

  private static void filters(NetModel model, FilterState filters) {
    model.promiscuous = filters.promiscuous();
    model.allMulticast = filters.allMulticast();
    model.macs.addAll(filters.table());
    model.macCount = filters.table().size();
    model.vlans = filters.vlans().toArray();
    model.multicastOverflow = filters.multicastOverflow();
    model.unicastOverflow = filters.unicastOverflow();
    model.allUnicast = filters.allUnicast();
    model.noMulticast = filters.noMulticast();
    model.noUnicast = filters.noUnicast();
    model.noBroadcast = filters.noBroadcast();
  }

  private static void rss(RssModel model, RssState rss) {
    model.enabled = rss.enabled();
    model.redirect = rss.redirect();
    model.populateHash = rss.populateHash();
    model.hashTypes = rss.hashTypes();
    model.supportedSaved = rss.supportedHashTypes().isPresent();
    model.supportedHashTypes = rss.supportedHashTypes().orElse(0);
    model.tableLength = rss.table().size();
    model.defaultQueue = rss.defaultQueue();
    model.key = rss.key().toArray();
    model.table.addAll(rss.table());
  }
}
