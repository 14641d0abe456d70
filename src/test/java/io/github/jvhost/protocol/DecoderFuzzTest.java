package io.github.jvhost.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.github.jvhost.VhostException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.lang.management.ManagementFactory;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Every decoder of the wire against mutated messages and noise. {@code -Djvhost.fuzz.cases=N} sets
 * how many, {@code -Djvhost.fuzz.seed=N} repeats a run.
 */
class DecoderFuzzTest {
  private static final int CASES = Integer.getInteger("jvhost.fuzz.cases", 50_000);
  private static final long SEED = Long.getLong("jvhost.fuzz.seed", 0x5eed_0003L);

  /** A record of the largest layout and the message of a refusal take less than this. */
  private static final long MOST_BYTES = 256 * 1024;

  private final com.sun.management.ThreadMXBean threads =
      (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();

  @Test
  void onlyVhostExceptionsComeOutAndLittleIsAllocated() {
    SplittableRandom random = new SplittableRandom(SEED);
    int refused = 0;
    int taken = 0;
    for (int i = 0; i < CASES; i++) {
      Decoder decoder = decoder(random);
      ByteBuf wire = wire(decoder.layout, random);
      int size = random.nextInt(8) == 0 ? random.nextInt() : wire.readableBytes();
      int descriptors = random.nextInt(3);
      long before = threads.getCurrentThreadAllocatedBytes();
      try {
        decoder.decode(wire, size, descriptors);
        taken++;
      } catch (VhostException e) {
        refused++;
      } catch (RuntimeException | Error e) {
        fail(describe(i, decoder, size, wire), e);
      }
      assertThat(threads.getCurrentThreadAllocatedBytes() - before)
          .as("bytes allocated, %s", i == 0 ? "the first time" : describe(i, decoder, size, wire))
          .isLessThan(i < 1000 ? MOST_BYTES * 64 : MOST_BYTES);
    }
    assertThat(refused).as("refused of %d", CASES).isGreaterThan(CASES / 10);
    assertThat(taken).as("taken of %d", CASES).isGreaterThan(CASES / 20);
  }

  private static String describe(int i, Decoder decoder, int size, ByteBuf wire) {
    return "seed %d case %d %s size %d of %s"
        .formatted(SEED, i, decoder, size, ByteBufUtil.hexDump(wire, 0, wire.writerIndex()));
  }

  /** One of the ways into the protocol; the layout is that of what it takes, null for a header. */
  private record Decoder(
      @Nullable PayloadKind layout,
      @Nullable BackEndRequest backEnd,
      @Nullable FrontEndRequest frontEnd) {

    void decode(ByteBuf wire, int size, int descriptors) {
      if (layout == null) {
        Header.decode(wire);
      } else if (backEnd != null) {
        backEnd.decode(wire, size, descriptors);
      } else if (frontEnd != null) {
        frontEnd.requireFittingAnswer(layout.decode(wire, size), descriptors);
      } else {
        layout.decode(wire, size);
      }
    }
  }

  private static Decoder decoder(SplittableRandom random) {
    return switch (random.nextInt(4)) {
      case 0 -> new Decoder(null, null, null);
      case 1 -> {
        BackEndRequest request = oneOf(BackEndRequest.values(), random);
        yield new Decoder(request.payload(), request, null);
      }
      case 2 -> {
        FrontEndRequest request = oneOf(FrontEndRequest.values(), random);
        yield new Decoder(request.explicitReply(-1L).orElse(PayloadKind.U64), null, request);
      }
      default -> new Decoder(oneOf(PayloadKind.values(), random), null, null);
    };
  }

  private static <T> T oneOf(T[] all, SplittableRandom random) {
    return all[random.nextInt(all.length)];
  }

  private static ByteBuf wire(@Nullable PayloadKind layout, SplittableRandom random) {
    if (random.nextInt(6) == 0) {
      byte[] noise = new byte[random.nextInt(random.nextBoolean() ? 64 : 4200)];
      random.nextBytes(noise);
      return Unpooled.wrappedBuffer(noise);
    }
    ByteBuf wire = Unpooled.buffer();
    if (layout == null) {
      Header.encode(wire, random.nextInt(50), random.nextInt(16), random.nextInt(4200));
    } else {
      Payloads.random(layout, random).encode(wire);
    }
    for (int n = random.nextInt(4); n > 0 && wire.isReadable(); n--) {
      mutate(wire, random);
    }
    return wire;
  }

  private static void mutate(ByteBuf wire, SplittableRandom random) {
    int at = random.nextInt(wire.writerIndex());
    switch (random.nextInt(4)) {
      case 0 -> wire.setByte(at, random.nextInt());
      case 1 -> wire.setByte(at, wire.getByte(at) ^ (1 << random.nextInt(8)));
      case 2 -> wire.writerIndex(at);
      default -> {
        int word = at & ~7;
        if (word + 8 <= wire.writerIndex()) {
          wire.setLong(word, random.nextBoolean() ? -1 : 0);
        }
      }
    }
  }
}
