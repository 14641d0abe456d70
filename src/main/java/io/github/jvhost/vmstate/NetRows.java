package io.github.jvhost.vmstate;

import static io.github.jvhost.vmstate.View.COUNT;
import static io.github.jvhost.vmstate.View.FLAG;
import static io.github.jvhost.vmstate.View.HEX64;
import static io.github.jvhost.vmstate.Wire.BOOL;
import static io.github.jvhost.vmstate.Wire.BYTES;
import static io.github.jvhost.vmstate.Wire.FLAG32;
import static io.github.jvhost.vmstate.Wire.U16;
import static io.github.jvhost.vmstate.Wire.U32;
import static io.github.jvhost.vmstate.Wire.U32S;
import static io.github.jvhost.vmstate.Wire.U64;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The rows of {@link NetState}: what virtio-net adds to a virtio device.
 *
 * <pre>
 *   | mac 6 | tx_waiting u32 | mergeable u32 | status u16 | promisc u8 | allmulti u8 | in_use u32 | macs 6 * in_use | vlans 512 |
 *   | has_vnet_hdr u32 | multi_overflow u8 | uni_overflow u8 | alluni u8 | nomulti u8 | nouni u8 | nobcast u8 | has_ufo u8 |
 *   | max_queue_pairs u16 | curr_queue_pairs u16 | tx_waiting u32 * (curr - 1) |            only with more than one pair
 *   | guest offloads u64 |                                                                  only with CTRL_GUEST_OFFLOADS
 *   subsections: rss, backend
 * </pre>
 */
final class NetRows {
  /** The type of a back end's state in QEMU's description of a stream. */
  private static final String STATE_TYPE = "virtio-net vhost-user backend state";

  private static final Wire<List<Bytes>> CHUNKS =
      new Wire<>(
          "chunks of u32 n, n bytes; then u32 0",
          List.of(),
          chunks -> new Layout.Leaf(STATE_TYPE, chunksSize(chunks)),
          NetRows::writeChunks,
          (in, _) -> readChunks(in));
  static final Row<VirtioNetState, MacAddress> MAC =
      row(
              "mac",
              BYTES.as(
                  bytes -> MacAddress.of(bytes.toArray(), 0),
                  mac -> Bytes.copyOf(mac.bytes()),
                  MacAddress.ZERO),
              NetState::mac)
          .times(MacAddress.SIZE)
          .shown("mac", mac -> new SavedField.Text(mac.toString()));
  static final Row<VirtioNetState, Integer> FIRST_TX_WAITING =
      row("vqs[0].tx_waiting", U32, net -> net.txWaiting().getFirst());

  private static final View<VirtioNetState> TX_WAITING =
      new View<>(View.Group.NET, "transmit work left", state -> waiting(state.net().txWaiting()));
  static final Row<VirtioNetState, Boolean> MERGEABLE_BUFFERS =
      row("mergeable_rx_bufs", FLAG32, NetState::mergeableBuffers).shown("mergeable buffers", FLAG);
  static final Row<VirtioNetState, Integer> STATUS =
      row("status", U16, NetState::status)
          .shown("link", s -> new SavedField.Text((s & NetState.LINK_UP) == 0 ? "down" : "up"))
          .shown("asked to announce", s -> new SavedField.Flag((s & NetState.ANNOUNCE) != 0))
          .shown(
              "other status bits",
              s -> new SavedField.Hex(s & ~(NetState.LINK_UP | NetState.ANNOUNCE)));
  static final Row<VirtioNetState, Boolean> VNET_HEADER =
      row("has_vnet_hdr", FLAG32, NetState::vnetHeader).shown("vnet header", FLAG);
  static final Row<VirtioNetState, Boolean> UFO =
      row("has_ufo", BOOL, NetState::ufo).shown("ufo", FLAG);
  static final Row<VirtioNetState, Integer> MAX_QUEUE_PAIRS =
      row("max_queue_pairs", U16, NetState::maxQueuePairs)
          .absent(1)
          .shown("max queue pairs", COUNT);
  static final Row<VirtioNetState, Integer> QUEUE_PAIRS =
      row("curr_queue_pairs", U16, NetState::currentQueuePairs)
          .absent(1)
          .shown("queue pairs", COUNT);
  static final Row<VirtioNetState, List<Integer>> OTHER_TX_WAITING =
      row("vqs[1..].tx_waiting", U32S, net -> net.txWaiting().subList(1, net.txWaiting().size()))
          .times("(curr_queue_pairs - 1)", d -> d.get(QUEUE_PAIRS) - 1);
  static final Row<VirtioNetState, Long> GUEST_OFFLOADS =
      row("curr_guest_offloads", U64, NetState::guestOffloads).shown("guest offloads", HEX64);
  static final Row<VirtioNetState, Optional<List<Bytes>>> BACK_END =
      row("backend", CHUNKS.optional(), NetState::backEnd).shown("back end state", NetRows::opaque);

  /** The whole structure. */
  static final Description<VirtioNetState> DEVICE =
      Description.<VirtioNetState>named("virtio-net-device", 11)
          .rows(MAC, FIRST_TX_WAITING)
          .view(TX_WAITING)
          .rows(
              MERGEABLE_BUFFERS,
              STATUS,
              FilterRows.PROMISCUOUS,
              FilterRows.ALL_MULTICAST,
              FilterRows.TABLE_SIZE,
              FilterRows.TABLE,
              FilterRows.VLANS,
              VNET_HEADER,
              FilterRows.MULTICAST_OVERFLOW,
              FilterRows.UNICAST_OVERFLOW,
              FilterRows.ALL_UNICAST,
              FilterRows.NO_MULTICAST,
              FilterRows.NO_UNICAST,
              FilterRows.NO_BROADCAST,
              UFO)
          .onlyIf(
              "with several queue pairs",
              NetRows::hasSeveralPairs,
              g ->
                  g.rows(MAX_QUEUE_PAIRS)
                      .expect("as many queue pairs as this device has", NetRows::pairsFit)
                      .rows(QUEUE_PAIRS)
                      .expect(
                          "one queue pair in use, up to all",
                          d ->
                              d.get(QUEUE_PAIRS) >= 1
                                  && d.get(QUEUE_PAIRS) <= d.get(MAX_QUEUE_PAIRS))
                      .rows(OTHER_TX_WAITING))
          .onlyIf(
              "CTRL_GUEST_OFFLOADS acked",
              d -> NetFeature.CTRL_GUEST_OFFLOADS.in(d.get(CommonRows.FEATURES_LOW)),
              g -> g.rows(GUEST_OFFLOADS))
          .subsection("RSS is on", RssRows.SUBSECTION, RssRows.RSS, RssRows::version)
          .subsection(
              "the back end has state of its own",
              Description.<VirtioNetState>named("virtio-net-device/backend", 0)
                  .rows(BACK_END)
                  .build(),
              d -> d.get(BACK_END).isPresent())
          .build();

  private NetRows() {}

  /** The state that was read. */
  static NetState build(Draft<VirtioNetState> d) {
    List<Integer> txWaiting = new ArrayList<>();
    txWaiting.add(d.get(FIRST_TX_WAITING));
    txWaiting.addAll(d.get(OTHER_TX_WAITING));
    return new NetState(
        d.get(MAC),
        txWaiting,
        d.get(MERGEABLE_BUFFERS),
        d.get(STATUS),
        FilterRows.build(d),
        d.get(VNET_HEADER),
        d.get(UFO),
        d.get(MAX_QUEUE_PAIRS),
        d.get(QUEUE_PAIRS),
        d.get(GUEST_OFFLOADS),
        RssRows.build(d),
        d.get(BACK_END));
  }

  private static boolean hasSeveralPairs(Draft<VirtioNetState> d) {
    return d.get(SectionDraft.PAIRS_UNKNOWN) || d.get(SectionDraft.SHAPE).maxQueuePairs() > 1;
  }

  private static boolean pairsFit(Draft<VirtioNetState> d) {
    int pairs = d.get(MAX_QUEUE_PAIRS);
    return d.get(SectionDraft.PAIRS_UNKNOWN)
        ? pairs > 1 && pairs <= NetState.MAX_PAIRS
        : pairs == d.get(SectionDraft.SHAPE).maxQueuePairs();
  }

  private static <T> Row<VirtioNetState, T> row(
      String name, Wire<T> wire, Row.Get<NetState, T> get) {
    return Row.of(View.Group.NET, name, wire, s -> get.from(s.net()));
  }

  /** The queue pairs with work left; usually none. */
  private static SavedField.Value waiting(List<Integer> pairs) {
    boolean any = pairs.stream().anyMatch(w -> w != 0);
    return new SavedField.Names(
        any ? pairs.stream().map(Integer::toUnsignedString).toList() : List.of());
  }

  private static SavedField.Value opaque(Optional<List<Bytes>> state) {
    return state
        .<SavedField.Value>map(chunks -> new SavedField.Opaque(joined(chunks)))
        .orElseGet(() -> new SavedField.Text(""));
  }

  private static Bytes joined(List<Bytes> chunks) {
    byte[] all = new byte[chunks.stream().mapToInt(Bytes::size).sum()];
    int at = 0;
    for (Bytes chunk : chunks) {
      System.arraycopy(chunk.toArray(), 0, all, at, chunk.size());
      at += chunk.size();
    }
    return Bytes.copyOf(all);
  }

  private static long chunksSize(List<Bytes> chunks) {
    return Integer.BYTES + chunks.stream().mapToLong(c -> Integer.BYTES + (long) c.size()).sum();
  }

  /** Chunks of a back end's state: | n u32 | n bytes | ... | 0 u32 |. */
  private static void writeChunks(VmWriter out, List<Bytes> chunks) {
    for (Bytes chunk : chunks) {
      out.u32(chunk.size());
      out.bytes(chunk.toArray());
    }
    out.u32(0);
  }

  /** Reads the chunks. A stream is not trusted, so all sizes are checked while reading. */
  private static List<Bytes> readChunks(VmReader in) {
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
    return chunks;
  }
}
