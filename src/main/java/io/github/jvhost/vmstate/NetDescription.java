package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.FilterState;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.RssState;
import java.util.ArrayList;
import java.util.List;

/**
 * What virtio-net adds to a virtio device.
 *
 * <pre>
 *   | mac 6 | tx_waiting u32 | mergeable u32 | status u16 | promisc u8 | allmulti u8 | in_use u32 | macs 6 * in_use | vlans 512 |
 *   | has_vnet_hdr u32 | multi_overflow u8 | uni_overflow u8 | alluni u8 | nomulti u8 | nouni u8 | nobcast u8 | has_ufo u8 |
 *   | max_queue_pairs u16 | curr_queue_pairs u16 | tx_waiting u32 * (curr - 1) |            only with more than one pair
 *   | guest offloads u64 |                                                                  only with CTRL_GUEST_OFFLOADS
 *   subsections: rss, backend
 * </pre>
 */
final class NetDescription {
  /** What QEMU calls the type of a back end's state in the description of a stream. */
  private static final String STATE_TYPE = "virtio-net vhost-user backend state";

  private static final Description<NetModel> RSS =
      Description.<NetModel>named("virtio-net-device/rss", 2)
          .minimum(1)
          .inline("rss_data.head", rssHead(), NetModel::rss)
          .since(
              2,
              g ->
                  g.u32(
                      "supported_hash_types",
                      m -> m.rss().supportedHashTypes,
                      (m, v) -> {
                        m.rss().supportedHashTypes = v;
                        m.rss().supportedSaved = true;
                      }))
          .inline("rss_data.tail", rssTail(), NetModel::rss)
          .build();

  private static final Description<NetModel> BACK_END =
      Description.<NetModel>named("virtio-net-device/backend", 0)
          .field(
              "backend",
              DescriptionBuilder.codec(
                  FieldType.sized(
                      "chunks of u32 n, n bytes; then u32 0",
                      STATE_TYPE,
                      NetDescription::chunksSize),
                  NetDescription::writeChunks,
                  NetDescription::readChunks))
          .build();

  /** The whole. */
  static final Description<NetModel> DEVICE =
      Description.<NetModel>named("virtio-net-device", 11)
          .bytes(
              "mac",
              FieldType.Count.fixed(MacAddress.SIZE),
              m -> m.mac.bytes(),
              (m, v) -> m.mac = MacAddress.of(v, 0))
          .u32("vqs[0].tx_waiting", m -> m.txWaiting.getFirst(), (m, v) -> m.txWaiting.add(v))
          .field(
              "mergeable_rx_bufs",
              flag32(m -> m.mergeableBuffers, (m, v) -> m.mergeableBuffers = v))
          .u16("status", m -> m.netStatus, (m, v) -> m.netStatus = v)
          .bool("promisc", m -> m.promiscuous, (m, v) -> m.promiscuous = v)
          .bool("allmulti", m -> m.allMulticast, (m, v) -> m.allMulticast = v)
          .u32("mac_table.in_use", m -> m.macCount, (m, v) -> m.macCount = v)
          .field(
              "mac_table.macs",
              DescriptionBuilder.codec(
                  FieldType.bytes(
                      new FieldType.Count<>("6 x in_use", m -> m.macs.size() * MacAddress.SIZE)),
                  NetDescription::writeMacs,
                  NetDescription::readMacs))
          .bytes(
              "vlans",
              FieldType.Count.fixed(FilterState.VLAN_BYTES),
              m -> m.vlans,
              (m, v) -> m.vlans = v)
          .field("has_vnet_hdr", flag32(m -> m.vnetHeader, (m, v) -> m.vnetHeader = v))
          .bool(
              "mac_table.multi_overflow",
              m -> m.multicastOverflow,
              (m, v) -> m.multicastOverflow = v)
          .bool("mac_table.uni_overflow", m -> m.unicastOverflow, (m, v) -> m.unicastOverflow = v)
          .bool("alluni", m -> m.allUnicast, (m, v) -> m.allUnicast = v)
          .bool("nomulti", m -> m.noMulticast, (m, v) -> m.noMulticast = v)
          .bool("nouni", m -> m.noUnicast, (m, v) -> m.noUnicast = v)
          .bool("nobcast", m -> m.noBroadcast, (m, v) -> m.noBroadcast = v)
          .bool("has_ufo", m -> m.ufo, (m, v) -> m.ufo = v)
          .onlyIf("with several queue pairs", NetModel::hasSeveralPairs, NetDescription::queuePairs)
          .onlyIf(
              "CTRL_GUEST_OFFLOADS acked",
              m -> NetFeature.CTRL_GUEST_OFFLOADS.in(m.featuresLow),
              g ->
                  g.u64("curr_guest_offloads", m -> m.guestOffloads, (m, v) -> m.guestOffloads = v))
          .subsection("RSS is on", RSS, m -> m.rss != null, m -> m.rss().supportedSaved ? 2 : 1)
          .subsection("the back end has state of its own", BACK_END, m -> m.backEnd != null)
          .build();

  private NetDescription() {}

  private interface GetFlag {
    boolean get(NetModel model);
  }

  private interface SetFlag {
    void set(NetModel model, boolean value);
  }

  /** A flag that takes four bytes. */
  private static Field.Codec<NetModel> flag32(GetFlag get, SetFlag set) {
    return DescriptionBuilder.codec(
        FieldType.unsigned(Integer.BYTES),
        (out, m) -> out.u32(get.get(m) ? 1 : 0),
        (in, m) -> set.set(m, in.u32() != 0));
  }

  private static void queuePairs(DescriptionBuilder<NetModel> builder) {
    builder
        .u16("max_queue_pairs", m -> m.maxQueuePairs, (m, v) -> m.maxQueuePairs = v)
        .expect("as many queue pairs as this device has", NetModel::pairsAreThoseOfTheShape)
        .u16("curr_queue_pairs", m -> m.currentQueuePairs, (m, v) -> m.currentQueuePairs = v)
        .expect(
            "one queue pair in use, up to all",
            m -> m.currentQueuePairs >= 1 && m.currentQueuePairs <= m.maxQueuePairs)
        .field(
            "vqs[1..].tx_waiting",
            DescriptionBuilder.codec(
                FieldType.numbers(
                    new FieldType.Count<>("(curr_queue_pairs - 1)", m -> m.txWaiting.size() - 1),
                    Integer.BYTES),
                (out, m) -> {
                  for (int waiting : m.txWaiting.subList(1, m.txWaiting.size())) {
                    out.u32(waiting);
                  }
                },
                (in, m) -> {
                  for (int i = 1; i < m.currentQueuePairs; i++) {
                    m.txWaiting.add(in.u32());
                  }
                }));
  }

  private static void writeMacs(VmWriter out, NetModel model) {
    for (MacAddress mac : model.macs) {
      out.bytes(mac.bytes());
    }
  }

  private static void readMacs(VmReader in, NetModel model) {
    byte[] all = in.bytes(Integer.toUnsignedLong(model.macCount) * MacAddress.SIZE);
    for (int at = 0; at < all.length; at += MacAddress.SIZE) {
      model.macs.add(MacAddress.of(all, at));
    }
  }

  private static Description<RssModel> rssHead() {
    return Description.<RssModel>named("rss_data.head", 1)
        .bool("enabled", r -> r.enabled, (r, v) -> r.enabled = v)
        .bool("redirect", r -> r.redirect, (r, v) -> r.redirect = v)
        .bool("populate_hash", r -> r.populateHash, (r, v) -> r.populateHash = v)
        .u32("hash_types", r -> r.hashTypes, (r, v) -> r.hashTypes = v)
        .build();
  }

  private static Description<RssModel> rssTail() {
    return Description.<RssModel>named("rss_data.tail", 1)
        .u16("indirections_len", r -> r.tableLength, (r, v) -> r.tableLength = v)
        .expect("a power of two of entries, or none", r -> RssState.isTableLength(r.tableLength))
        .u16("default_queue", r -> r.defaultQueue, (r, v) -> r.defaultQueue = v)
        .bytes("key", FieldType.Count.fixed(RssState.KEY_BYTES), r -> r.key, (r, v) -> r.key = v)
        .field(
            "indirections_table",
            DescriptionBuilder.codec(
                FieldType.numbers(
                    new FieldType.Count<>("indirections_len", r -> r.table.size()), Short.BYTES),
                (out, r) -> {
                  for (int queue : r.table) {
                    out.u16(queue);
                  }
                },
                (in, r) -> {
                  in.need(2L * r.tableLength);
                  r.table.clear();
                  for (int i = 0; i < r.tableLength; i++) {
                    r.table.add(in.u16());
                  }
                }))
        .build();
  }

  private static long chunksSize(NetModel model) {
    List<Bytes> chunks = model.backEnd == null ? List.of() : model.backEnd;
    return Integer.BYTES + chunks.stream().mapToLong(c -> Integer.BYTES + (long) c.size()).sum();
  }

  /** Chunks of a back end's state: | n u32 | n bytes | ... | 0 u32 |. */
  private static void writeChunks(VmWriter out, NetModel model) {
    List<Bytes> chunks = model.backEnd;
    if (chunks != null) {
      for (Bytes chunk : chunks) {
        out.u32(chunk.size());
        out.bytes(chunk.toArray());
      }
    }
    out.u32(0);
  }

  /** A stream may have been made by anybody, so all of it is bounded as it comes. */
  private static void readChunks(VmReader in, NetModel model) {
    List<Bytes> chunks = new ArrayList<>();
    int left = NetState.MAX_BACK_END_STATE;
    for (int size = in.u32(); size != 0; size = in.u32()) {
      if (size < 0 || size > NetState.MAX_CHUNK) {
        throw in.wrong(
            "a chunk of a back end's state of at most %d bytes, not %d"
                .formatted(NetState.MAX_CHUNK, Integer.toUnsignedLong(size)));
      }
      if (size > left) {
        throw in.wrong(
            "a back end's state of at most %d bytes in all".formatted(NetState.MAX_BACK_END_STATE));
      }
      if (chunks.size() == NetState.MAX_CHUNKS) {
        throw in.wrong("a back end's state in at most %d chunks".formatted(NetState.MAX_CHUNKS));
      }
      left -= size;
      chunks.add(Bytes.copyOf(in.view(size)));
    }
    model.backEnd = chunks;
  }
}
