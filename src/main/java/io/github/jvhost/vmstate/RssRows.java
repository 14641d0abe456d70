package io.github.jvhost.vmstate;

import static io.github.jvhost.vmstate.View.COUNT;
import static io.github.jvhost.vmstate.View.FLAG;
import static io.github.jvhost.vmstate.View.HEX;
import static io.github.jvhost.vmstate.View.LIST;
import static io.github.jvhost.vmstate.View.RAW;
import static io.github.jvhost.vmstate.Wire.BOOL;
import static io.github.jvhost.vmstate.Wire.BYTES;
import static io.github.jvhost.vmstate.Wire.U16;
import static io.github.jvhost.vmstate.Wire.U16S;
import static io.github.jvhost.vmstate.Wire.U32;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.RssState;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The rows of {@link RssState}.
 *
 * <pre>
 *   | enabled u8 | redirect u8 | populate_hash u8 | hash types u32 | supported u32 (since version 2) |
 *   | n u16 | default queue u16 | key 40 | table n x u16 |
 * </pre>
 */
final class RssRows {
  /** Whether the subsection exists. */
  static final Row<VirtioNetState, Boolean> RSS =
      Row.of("rss", Wire.none(false), s -> s.net().rss().isPresent());

  static final Row<VirtioNetState, Boolean> ENABLED =
      row("enabled", BOOL, RssState::enabled).shown("enabled", FLAG);
  static final Row<VirtioNetState, Boolean> REDIRECT =
      row("redirect", BOOL, RssState::redirect).shown("redirect", FLAG);
  static final Row<VirtioNetState, Boolean> POPULATE_HASH =
      row("populate_hash", BOOL, RssState::populateHash).shown("populate hash", FLAG);
  static final Row<VirtioNetState, Integer> HASH_TYPES =
      row("hash_types", U32, RssState::hashTypes).shown("hash types", HEX);
  static final Row<VirtioNetState, OptionalInt> SUPPORTED =
      row(
              "supported_hash_types",
              U32.as(OptionalInt::of, OptionalInt::getAsInt, OptionalInt.empty()),
              RssState::supportedHashTypes)
          .shown(
              "supported hash types",
              types -> types.isPresent() ? HEX.apply(types.getAsInt()) : null);
  static final Row<VirtioNetState, Integer> TABLE_LENGTH =
      row("indirections_len", U16, r -> r.table().size());
  static final Row<VirtioNetState, Integer> DEFAULT_QUEUE =
      row("default_queue", U16, RssState::defaultQueue).shown("default queue", COUNT);
  static final Row<VirtioNetState, Bytes> KEY =
      row("key", BYTES, RssState::key).times(RssState.KEY_BYTES).shown("key", RAW);
  static final Row<VirtioNetState, List<Integer>> TABLE =
      row("indirections_table", U16S, RssState::table)
          .times("indirections_len", d -> d.get(TABLE_LENGTH))
          .shown("table", LIST);

  /** The subsection. */
  static final Description<VirtioNetState> SUBSECTION =
      Description.<VirtioNetState>named("virtio-net-device/rss", 2)
          .minimum(1)
          .inline(
              Description.<VirtioNetState>named("rss_data.head", 1)
                  .rows(ENABLED, REDIRECT, POPULATE_HASH, HASH_TYPES)
                  .build())
          .since(2, g -> g.rows(SUPPORTED))
          .inline(
              Description.<VirtioNetState>named("rss_data.tail", 1)
                  .rows(TABLE_LENGTH)
                  .expect(
                      "a power of two of entries, or none",
                      d -> RssState.isTableLength(d.get(TABLE_LENGTH)))
                  .rows(DEFAULT_QUEUE, KEY, TABLE)
                  .build())
          .build();

  private RssRows() {}

  /** The version of the subsection that has all saved fields. */
  static int version(Draft<VirtioNetState> d) {
    return d.get(SUPPORTED).isPresent() ? 2 : 1;
  }

  /** The state that was read, if the stream had the subsection. */
  static Optional<RssState> build(Draft<VirtioNetState> d) {
    return d.get(RSS)
        ? Optional.of(
            new RssState(
                d.get(ENABLED),
                d.get(REDIRECT),
                d.get(POPULATE_HASH),
                d.get(HASH_TYPES),
                d.get(SUPPORTED),
                d.get(DEFAULT_QUEUE),
                d.get(KEY),
                d.get(TABLE)))
        : Optional.empty();
  }

  private static <T> Row<VirtioNetState, T> row(
      String name, Wire<T> wire, Row.Get<RssState, T> get) {
    return Row.of(
        View.Group.RSS,
        name,
        wire,
        s -> s.net().rss().isPresent() ? get.from(s.net().rss().get()) : null);
  }
}
