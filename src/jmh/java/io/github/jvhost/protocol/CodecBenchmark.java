package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** One message into a direct buffer, and out of it again. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class CodecBenchmark {
  private static final int ROOM = 1024;
  private static final int BASE = FrontEndRequest.SET_VRING_BASE.fixedId().orElseThrow();
  private static final int ADDRESS = FrontEndRequest.SET_VRING_ADDR.fixedId().orElseThrow();
  private static final int MEMORY = FrontEndRequest.SET_MEM_TABLE.fixedId().orElseThrow();

  private final VringState base = new VringState(3, 4711);
  private final VringAddress address =
      new VringAddress(3, 0, 0x7000_0010_0000L, 0x7000_0010_2000L, 0x7000_0010_1000L, 0x10_2000);
  private final MemoryTablePayload memory =
      new MemoryTablePayload(
          List.copyOf(
              Collections.nCopies(
                  MemoryTablePayload.MAX_REGIONS,
                  new MemoryRegionPayload(0, 1 << 30, 0x7000_0000_0000L, 0))));

  private final ByteBuf out = Unpooled.directBuffer(ROOM, ROOM);
  private final ByteBuf encodedBase = encode(BASE, base, Unpooled.directBuffer(ROOM, ROOM));
  private final ByteBuf encodedAddress =
      encode(ADDRESS, address, Unpooled.directBuffer(ROOM, ROOM));
  private final ByteBuf encodedMemory = encode(MEMORY, memory, Unpooled.directBuffer(ROOM, ROOM));

  private static ByteBuf encode(int id, Payload payload, ByteBuf into) {
    into.clear();
    Header.encode(into, id, Header.VERSION, payload.size());
    payload.encode(into);
    return into;
  }

  /** SET_VRING_BASE, 20 bytes. */
  @Benchmark
  public ByteBuf encodeBase() {
    return encode(BASE, base, out);
  }

  /** SET_VRING_ADDR, 52 bytes. */
  @Benchmark
  public ByteBuf encodeAddress() {
    return encode(ADDRESS, address, out);
  }

  /** SET_MEM_TABLE with eight regions, 276 bytes. */
  @Benchmark
  public ByteBuf encodeMemoryTable() {
    return encode(MEMORY, memory, out);
  }

  /** SET_VRING_BASE, 20 bytes. */
  @Benchmark
  public Payload decodeBase() {
    ByteBuf in = encodedBase.readerIndex(0);
    return VringState.decode(in, Header.decode(in).size());
  }

  /** SET_VRING_ADDR, 52 bytes. */
  @Benchmark
  public Payload decodeAddress() {
    ByteBuf in = encodedAddress.readerIndex(0);
    return VringAddress.decode(in, Header.decode(in).size());
  }

  /** SET_MEM_TABLE with eight regions, 276 bytes. */
  @Benchmark
  public Payload decodeMemoryTable() {
    ByteBuf in = encodedMemory.readerIndex(0);
    return MemoryTablePayload.decode(in, Header.decode(in).size());
  }
}
