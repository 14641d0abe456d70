package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.MacAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Function;

/**
 * The encoding of a value in a stream. Numbers are big-endian.
 *
 * @param <T> the type of the value
 * @param words the encoding for people: "u16"; after a count: "bytes", "x u16"
 * @param absent the value if the stream has none
 * @param layout the layout of a value
 * @param write writes a value
 * @param read reads a value
 */
record Wire<T>(
    String words,
    T absent,
    Function<T, Layout> layout,
    BiConsumer<VmWriter, T> write,
    Read<T> read) {

  /** Reads a value. */
  interface Read<T> {
    /**
     * Reads the value.
     *
     * @param count the number of bytes or elements, 1 for a value without a count. It may come from
     *     the stream and is not trusted
     */
    T from(VmReader in, long count);
  }

  static final Wire<Integer> U8 = number(1, 0, VmWriter::u8, (in, _) -> in.u8());
  static final Wire<Integer> U16 = number(2, 0, VmWriter::u16, (in, _) -> in.u16());

  /** All 32 bits. The user of the value decides whether it is signed. */
  static final Wire<Integer> U32 = number(4, 0, VmWriter::u32, (in, _) -> in.u32());

  static final Wire<Long> U64 = number(8, 0L, VmWriter::u64, (in, _) -> in.u64());

  /**
   * One byte. Every value that is not zero is true, as in QEMU, which may store a driver's byte
   * here.
   */
  static final Wire<Boolean> BOOL =
      leaf("bool", "bool", 1, false, (out, v) -> out.u8(v ? 1 : 0), (in, _) -> in.u8() != 0);

  /** A flag that takes four bytes. */
  static final Wire<Boolean> FLAG32 =
      number(4, false, (out, v) -> out.u32(v ? 1 : 0), (in, _) -> in.u32() != 0);

  /** 64 bits as two numbers of 32, the lower half first. */
  static final Wire<Long> HALVES =
      new Wire<>(
          "2 x u32, lower half first",
          0L,
          _ -> new Layout.Array(new Layout.Leaf("uint32", Integer.BYTES), 2),
          (out, v) -> {
            out.u32(v.intValue());
            out.u32((int) (v >>> Integer.SIZE));
          },
          (in, _) -> {
            long low = Integer.toUnsignedLong(in.u32());
            return (long) in.u32() << Integer.SIZE | low;
          });

  /** A counted number of bytes. */
  static final Wire<Bytes> BYTES =
      new Wire<>(
          "bytes",
          Bytes.EMPTY,
          v -> new Layout.Leaf("buffer", v.size()),
          (out, v) -> out.bytes(v.toArray()),
          (in, count) -> Bytes.copyOf(in.view(count)));

  /** Addresses of 6 bytes each. The count is in bytes. */
  static final Wire<List<MacAddress>> MACS =
      new Wire<>(
          "bytes",
          List.of(),
          v -> new Layout.Leaf("buffer", (long) MacAddress.SIZE * v.size()),
          (out, v) -> v.forEach(mac -> out.bytes(mac.bytes())),
          (in, count) -> {
            byte[] all = in.bytes(count);
            List<MacAddress> macs = new ArrayList<>();
            for (int at = 0; at < all.length; at += MacAddress.SIZE) {
              macs.add(MacAddress.of(all, at));
            }
            return macs;
          });

  /** A counted number of numbers. */
  static final Wire<List<Integer>> U16S = numbers(U16, Short.BYTES);

  static final Wire<List<Integer>> U32S = numbers(U32, Integer.BYTES);

  /** A value that is known without the stream. It takes no bytes. */
  static <T> Wire<T> none(T absent) {
    return new Wire<>("", absent, _ -> Layout.Group.NOTHING, (out, v) -> {}, (in, _) -> absent);
  }

  private static <T> Wire<T> number(
      int bytes, T absent, BiConsumer<VmWriter, T> write, Read<T> read) {
    return leaf("u" + 8 * bytes, "uint" + 8 * bytes, bytes, absent, write, read);
  }

  private static <T> Wire<T> leaf(
      String words, String type, int bytes, T absent, BiConsumer<VmWriter, T> write, Read<T> read) {
    Layout layout = new Layout.Leaf(type, bytes);
    return new Wire<>(words, absent, _ -> layout, write, read);
  }

  private static Wire<List<Integer>> numbers(Wire<Integer> one, int bytes) {
    return new Wire<>(
        "x " + one.words,
        List.of(),
        v -> new Layout.Array(one.layout.apply(0), v.size()),
        (out, v) -> v.forEach(number -> one.write.accept(out, number)),
        (in, count) -> {
          in.need(count * bytes);
          List<Integer> all = new ArrayList<>();
          for (long i = 0; i < count; i++) {
            all.add(one.read.from(in, 1));
          }
          return all;
        });
  }

  /**
   * The same encoding, for a value of another type.
   *
   * @param to converts to the other type
   * @param from converts from the other type; never called with {@code absentThere}
   * @param absentThere the value if the stream has none
   */
  <V> Wire<V> as(Function<T, V> to, Function<V, T> from, V absentThere) {
    return new Wire<>(
        words,
        absentThere,
        v -> layout.apply(from.apply(v)),
        (out, v) -> write.accept(out, from.apply(v)),
        (in, count) -> to.apply(read.from(in, count)));
  }

  /** The same for an optional value. */
  Wire<Optional<T>> optional() {
    return as(Optional::of, Optional::orElseThrow, Optional.empty());
  }
}
