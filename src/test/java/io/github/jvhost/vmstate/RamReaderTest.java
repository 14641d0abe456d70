package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Records of guest memory, each with its bytes drawn by hand, and what a sink gets of them. */
class RamReaderTest {
  private static final int PAGE = RamRecord.PAGE_SIZE;

  /** Writes down what it gets; buffers do not outlive the call. */
  private static final class Sink implements RamSink {
    private final boolean wantsPages;
    private final List<String> got = new ArrayList<>();

    Sink(boolean wantsPages) {
      this.wantsPages = wantsPages;
    }

    @Override
    public void begin(SectionHeader header) {
      got.add(header.part().name());
    }

    @Override
    public void accept(RamRecord record) {
      got.add(
          switch (record) {
            case RamRecord.Blocks(var blocks) ->
                "blocks " + blocks.stream().map(Sink::text).toList();
            case RamRecord.Fill(var place, int value) -> "fill " + text(place) + " " + value;
            case RamRecord.Page(var place, var bytes) ->
                "page " + text(place) + " " + bytes.remaining() + " of " + bytes.get(0);
            case RamRecord.Delta(var place, int encoding, var delta) ->
                "delta " + text(place) + " " + encoding + " " + hex(delta);
            case RamRecord.Compressed(var place, var compressed) ->
                "compressed " + text(place) + " " + hex(compressed);
            case RamRecord.Flush _ -> "flush";
            case RamRecord.End _ -> "end";
          });
    }

    private static String text(RamBlock block) {
      return block.name()
          + ":"
          + block.length()
          + (block.pageSize().isPresent() ? ":pages" + block.pageSize().getAsLong() : "")
          + (block.guestAddress().isPresent() ? ":at" + block.guestAddress().getAsLong() : "")
          + block
              .mapped()
              .map(m -> ":" + m.pageSize() + "," + m.bitmap() + "," + m.pages())
              .orElse("");
    }

    private static String text(RamRecord.Place place) {
      return place.block() + "+" + place.offset() + (place.named() ? "" : " (goes on)");
    }

    private static String hex(ByteBuffer bytes) {
      byte[] array = new byte[bytes.remaining()];
      bytes.get(array);
      return HexFormat.of().formatHex(array);
    }

    @Override
    public boolean wantsPages() {
      return wantsPages;
    }
  }

  private static StreamBytes ram() {
    StreamBytes stream = new StreamBytes();
    stream.begin(1, 2, "ram", 0, 4);
    stream.u64("", 3 * PAGE | RamFlag.MEM_SIZE).block("a", 2 * PAGE).block("b", PAGE);
    return stream.u64("", RamFlag.END).footer(2).part(2, 2);
  }

  private static byte[] end(StreamBytes stream) {
    return stream.u64("", RamFlag.END).footer(2).u8(0).toArray();
  }

  private static List<String> read(byte[] stream, boolean wantsPages) {
    Sink fromMemory = new Sink(wantsPages);
    StreamReading.all(QemuStreamReader.builder().ram(fromMemory).open(ByteBuffer.wrap(stream)));
    Sink comingIn = new Sink(wantsPages);
    StreamReading.all(
        QemuStreamReader.builder().ram(comingIn).open(new ByteArrayInputStream(stream)));
    assertThat(comingIn.got).isEqualTo(fromMemory.got);
    return fromMemory.got;
  }

  /** That each of these is written as it was read. */
  private static void copied(byte[] stream) {
    var out = new ByteArrayOutputStream();
    StreamRewriter.rewrite(
        new ByteArrayInputStream(stream), out, QemuStreamReader.builder(), Optional::of);
    assertThat(out.toByteArray()).isEqualTo(stream);
  }

  private static byte[] filled(int size, int value) {
    byte[] bytes = new byte[size];
    Arrays.fill(bytes, (byte) value);
    return bytes;
  }

  @Test
  void everyKindOfRecordReachesTheSinkInOrder() {
    StreamBytes stream = ram();
    stream.u64("", PAGE | RamFlag.ZERO).name("", "a").u8(0);
    stream.u64("", RamFlag.PAGE | RamFlag.CONTINUE).bytes(filled(PAGE, 7));
    stream.u64("", RamFlag.XBZRLE).name("", "b").u8(1).u8(0).u8(3).bytes(new byte[] {1, 2, 3});
    stream.u64("", RamFlag.COMPRESSED | RamFlag.CONTINUE).u32("", 2).bytes(new byte[] {8, 9});
    stream.u64("", RamFlag.FLUSH);
    stream.u64("", RamFlag.ZERO | RamFlag.CONTINUE).u8(0x5A);
    byte[] bytes = end(stream);

    assertThat(read(bytes, true))
        .containsExactly(
            "START",
            "blocks [a:8192, b:4096]",
            "end",
            "PART",
            "fill a+4096 0",
            "page a+0 (goes on) 4096 of 7",
            "delta b+0 1 010203",
            "compressed b+0 (goes on) 0809",
            "flush",
            "fill b+0 (goes on) 90",
            "end");
    copied(bytes);
  }

  @Test
  void whoWantsNoPagesGetsNoPages() {
    StreamBytes stream = ram();
    stream.u64("", RamFlag.ZERO).name("", "a").u8(0);
    stream.u64("", PAGE | RamFlag.PAGE | RamFlag.CONTINUE).bytes(filled(PAGE, 7));

    assertThat(read(end(stream), false))
        .containsExactly("START", "blocks [a:8192, b:4096]", "end", "PART", "end");
  }

  @Test
  void aPageGoesOnFromTheLastOneOfAnEarlierPart() {
    StreamBytes stream = ram();
    stream.u64("", RamFlag.ZERO).name("", "b").u8(0);
    stream.u64("", RamFlag.END).footer(2).part(3, 2);
    stream.u64("", RamFlag.ZERO | RamFlag.CONTINUE).u8(1);
    byte[] bytes = end(stream);

    assertThat(read(bytes, true)).endsWith("END", "fill b+0 (goes on) 1", "end");
    copied(bytes);
  }

  @Test
  void sharedBlocksHaveTheirAddress() {
    StreamBytes stream = new StreamBytes();
    stream.u8(7).u32("", 2).bytes(new byte[] {'p', 'c'});
    stream.u8(5).name("", "configuration/capabilities").u32("", 1).u32("", 1);
    stream.name("", "x-ignore-shared");
    stream.begin(1, 2, "ram", 0, 4);
    stream.u64("", PAGE | RamFlag.MEM_SIZE).block("a", PAGE).u64("", 0x1000);
    byte[] bytes = end(stream);

    assertThat(read(bytes, true)).containsExactly("START", "blocks [a:4096:at4096]", "end");
    copied(bytes);
  }

  @Test
  void pagesAtFixedPlacesAreSkipped() {
    StreamBytes stream = new StreamBytes();
    stream.u8(7).u32("", 2).bytes(new byte[] {'p', 'c'});
    stream.u8(5).name("", "configuration/capabilities").u32("", 1).u32("", 1);
    stream.name("", "mapped-ram");
    stream.begin(1, 2, "ram", 0, 4);
    stream.u64("", PAGE | RamFlag.MEM_SIZE).block("a", PAGE);
    stream.u32("", 1).u64("", PAGE).u64("", 300);
    int pages = stream.toArray().length + 8 + 100;
    stream.u64("", pages).bytes(filled(100, 0xEE)).bytes(filled(PAGE, 0xEE));

    assertThat(read(end(stream), true))
        .containsExactly("START", "blocks [a:4096:4096,300," + pages + "]", "end");
  }

  @Test
  void blocksOfHugePagesSayTheirSizeBeforePostcopy() {
    StreamBytes stream = new StreamBytes();
    long both = PAGE | 2 << 20;
    stream.command(3, ByteBuffer.allocate(16).putLong(both).putLong(PAGE).array());
    stream.begin(1, 2, "ram", 0, 4);
    stream.u64("", (PAGE + (2L << 20)) | RamFlag.MEM_SIZE);
    stream.block("huge", 2 << 20).u64("", 2 << 20).block("a", PAGE);
    byte[] bytes = end(stream);

    assertThat(read(bytes, true))
        .containsExactly("START", "blocks [huge:2097152:pages2097152, a:4096]", "end");
    copied(bytes);
  }

  @Test
  void whatADeltaOrACompressedPageSaysOfItsLengthIsBounded() {
    StreamBytes delta = ram();
    delta.u64("", RamFlag.XBZRLE).name("", "a").u8(1).u8(0x10).u8(1);
    StreamBytes compressed = ram();
    compressed.u64("", RamFlag.COMPRESSED).name("", "a").u32("", 8193);
    StreamBytes negative = ram();
    negative.u64("", RamFlag.COMPRESSED).name("", "a").u32("", -1);

    assertThat(StreamReading.refused(delta.toArray())).hasMessageContaining("at most 4096 bytes");
    assertThat(StreamReading.refused(compressed.toArray()))
        .hasMessageContaining("at most 8192 bytes");
    assertThat(StreamReading.refused(negative.toArray()))
        .hasMessageContaining("at most 8192 bytes");
  }

  @Test
  void blocksThatAreNotListedOrListedTwice() {
    StreamBytes unknown = ram();
    unknown.u64("", RamFlag.ZERO).name("", "c").u8(0);
    StreamBytes twice = new StreamBytes();
    twice.begin(1, 2, "ram", 0, 4);
    twice.u64("", 2 * PAGE | RamFlag.MEM_SIZE).block("a", PAGE).block("a", PAGE);

    assertThat(StreamReading.refused(unknown.toArray()))
        .hasMessageContaining("a page of a block in the list, not of 'c'");
    assertThat(StreamReading.refused(twice.toArray()))
        .hasMessageContaining("each block once, a comes again");
  }
}
