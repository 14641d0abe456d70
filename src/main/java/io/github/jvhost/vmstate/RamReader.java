package io.github.jvhost.vmstate;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** Reads the parts of a stream's guest memory, and keeps the state that they share. */
final class RamReader {
  /** The only version. */
  static final int VERSION = 4;

  private static final int PAGE = RamRecord.PAGE_SIZE;

  /** QEMU's limit for a page that zlib makes longer, rounded up. */
  private static final int MOST_COMPRESSED = 2 * PAGE;

  private static final int MAPPED_HEADER_VERSION = 1;

  private final RamSink sink;
  private final Map<String, RamBlock> blocks = new HashMap<>();
  private boolean ignoresShared;
  private boolean mapsRam;
  private long hugePageSizes;
  private @Nullable RamBlock block;

  RamReader(RamSink sink) {
    this.sink = sink;
  }

  /** Stores which form of memory the configuration chooses. */
  void configure(StreamRecord.Configuration configuration) {
    ignoresShared = configuration.has(StreamRecord.Configuration.IGNORE_SHARED);
    mapsRam = configuration.has(StreamRecord.Configuration.MAPPED_RAM);
  }

  /**
   * Stores the page sizes of POSTCOPY_ADVISE. In the list, a block whose page size is not the
   * guest's then has its page size.
   *
   * @param sizes all page sizes, or-ed
   * @param usual the guest's page size
   */
  void advise(long sizes, long usual) {
    hugePageSizes = sizes & ~usual;
  }

  /** Reads one part, up to its EOS record. */
  void read(VmReader in, SectionHeader header) {
    boolean skipping = !sink.wantsPages();
    sink.begin(header);
    while (true) {
      long word = in.u64();
      int flags = (int) (word & (PAGE - 1));
      long offset = word & -PAGE;
      // CONTINUE means the block of the page before. On other records it has no meaning.
      switch (flags & ~RamFlag.CONTINUE) {
        case RamFlag.MEM_SIZE -> sink.accept(new RamRecord.Blocks(blocks(in, offset)));
        case RamFlag.ZERO -> {
          locate(in, flags, offset);
          int value = in.u8();
          if (!skipping) {
            sink.accept(new RamRecord.Fill(place(flags, offset), value));
          }
        }
        case RamFlag.PAGE -> {
          locate(in, flags, offset);
          if (skipping) {
            in.skip(PAGE);
          } else {
            sink.accept(new RamRecord.Page(place(flags, offset), in.view(PAGE)));
          }
        }
        case RamFlag.XBZRLE -> {
          locate(in, flags, offset);
          int encoding = in.u8();
          int length = bounded(in, in.u16(), PAGE);
          sink.accept(new RamRecord.Delta(place(flags, offset), encoding, in.view(length)));
        }
        case RamFlag.COMPRESSED -> {
          locate(in, flags, offset);
          int length = bounded(in, in.u32(), MOST_COMPRESSED);
          sink.accept(new RamRecord.Compressed(place(flags, offset), in.view(length)));
        }
        case RamFlag.FLUSH -> sink.accept(new RamRecord.Flush());
        case RamFlag.END -> {
          sink.accept(new RamRecord.End());
          return;
        }
        case RamFlag.HOOK ->
            throw in.failure("memory in the stream; here it went over RDMA, flag 080");
        default ->
            throw in.failure("a record of memory; its flags are 0x" + Integer.toHexString(flags));
      }
    }
  }

  private List<RamBlock> blocks(VmReader in, long total) {
    in.enter("blocks");
    if (total < 0) {
      throw in.failure("a total of less than 8 EiB");
    }
    List<RamBlock> listed = new ArrayList<>();
    blocks.clear();
    block = null;
    long left = total;
    while (left > 0) {
      in.enter("[" + listed.size() + "]");
      RamBlock next = block(in, left);
      left -= next.length();
      if (blocks.putIfAbsent(next.name(), next) != null) {
        throw in.failure("each block once, " + next.name() + " comes again");
      }
      listed.add(next);
      in.leave();
    }
    in.leave();
    return listed;
  }

  private RamBlock block(VmReader in, long left) {
    String name = in.name();
    if (name.isEmpty()) {
      throw in.failure("the name of a block");
    }
    long length = in.u64();
    // With empty blocks the list would never end.
    if (length <= 0 || length > left) {
      throw in.failure("a length of 1 to " + left + " bytes, what is left of the total");
    }
    OptionalLong pageSize = isHugePageSize(in) ? OptionalLong.of(in.u64()) : OptionalLong.empty();
    OptionalLong address = ignoresShared ? OptionalLong.of(in.u64()) : OptionalLong.empty();
    Optional<RamBlock.Mapped> mapped = mapsRam ? Optional.of(mapped(in, length)) : Optional.empty();
    return new RamBlock(name, length, pageSize, address, mapped);
  }

  /**
   * Whether a page size follows. A block has a page size only if it is not the guest's. A
   * destination knows this from its own blocks. This reader recognises it: the value is one of the
   * announced sizes, and neither a name nor the record after the list can have such a value.
   */
  private boolean isHugePageSize(VmReader in) {
    if (hugePageSizes == 0) {
      return false;
    }
    long next = in.peekU64();
    return Long.bitCount(next) == 1 && (next & hugePageSizes) != 0;
  }

  /** Skips the pages of mapped-ram, which follow the entry of the block at fixed positions. */
  private RamBlock.Mapped mapped(VmReader in, long length) {
    in.enter("mapped-ram");
    if (in.u32() != MAPPED_HEADER_VERSION) {
      throw in.failure("version " + MAPPED_HEADER_VERSION + " of mapped-ram");
    }
    var places = new RamBlock.Mapped(in.u64(), in.u64(), in.u64());
    long behind = places.pages() + length;
    if (places.pages() < in.offset() || behind < 0) {
      throw in.failure("pages behind their block's entry, not at " + places.pages());
    }
    in.skip(behind - in.offset());
    in.leave();
    return places;
  }

  private void locate(VmReader in, int flags, long offset) {
    if ((flags & RamFlag.CONTINUE) == 0) {
      String name = in.name();
      RamBlock named = blocks.get(name);
      if (named == null) {
        throw in.failure("a page of a block in the list, not of '" + name + "'");
      }
      block = named;
    }
    RamBlock of = block;
    if (of == null) {
      throw in.failure("the name of a block, there is no page before to go on from");
    }
    if (offset < 0 || offset >= of.length()) {
      throw in.failure("a page of the " + of.length() + " bytes of " + of.name());
    }
  }

  private RamRecord.Place place(int flags, long offset) {
    RamBlock of = block;
    return new RamRecord.Place(
        of == null ? "" : of.name(), offset, (flags & RamFlag.CONTINUE) == 0);
  }

  private static int bounded(VmReader in, int length, int most) {
    if (length < 0 || length > most) {
      throw in.failure("at most " + most + " bytes for a page");
    }
    return length;
  }
}
