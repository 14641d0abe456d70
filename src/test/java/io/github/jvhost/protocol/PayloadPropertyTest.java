package io.github.jvhost.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.lang.management.ManagementFactory;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What every layout has to keep, on random values and on random bytes. */
class PayloadPropertyTest {
  private static final long SEED = 0x5eed_0001L;
  private static final int ROUND_TRIPS = 2_000;
  private static final int FUZZ = 30_000;

  @ParameterizedTest
  @EnumSource(PayloadKind.class)
  void everyPayloadComesBackEqualAndItsSizeIsWhatItWrote(PayloadKind kind) {
    SplittableRandom random = new SplittableRandom(SEED + kind.name().hashCode());
    for (int i = 0; i < ROUND_TRIPS; i++) {
      Payload payload = Payloads.random(kind, random);
      ByteBuf wire = Unpooled.buffer();
      payload.encode(wire);
      int size = wire.readableBytes();
      assertThat(size).as("seed %x round %d", SEED, i).isEqualTo(payload.size());
      assertThat(kind.accepts(size)).isTrue();
      wire.writeByte(0x5A);
      assertThat(kind.decode(wire, size)).as("seed %x round %d", SEED, i).isEqualTo(payload);
      assertThat(wire.readableBytes()).as("the byte behind stays unread").isEqualTo(1);
    }
  }

  @ParameterizedTest
  @EnumSource(PayloadKind.class)
  void onlyAProtocolExceptionEverComesOutOfForeignBytes(PayloadKind kind) {
    SplittableRandom random = new SplittableRandom(SEED + 100 + kind.name().hashCode());
    int refused = 0;
    for (int i = 0; i < FUZZ; i++) {
      ByteBuf wire = random.nextInt(3) == 0 ? noise(random) : mutated(kind, random);
      int size = random.nextInt(4) == 0 ? random.nextInt(-2, 5000) : wire.readableBytes();
      try {
        kind.decode(wire, size);
      } catch (ProtocolException _) {
        refused++;
      } catch (RuntimeException e) {
        fail(
            "seed %x round %d, size %d of %s"
                .formatted(SEED, i, size, ByteBufUtil.hexDump(wire, 0, wire.writerIndex())),
            e);
      }
    }
    assertThat(refused).as("some of %d had to be refused", FUZZ).isPositive();
  }

  private static ByteBuf noise(SplittableRandom random) {
    byte[] bytes = new byte[random.nextInt(300)];
    random.nextBytes(bytes);
    return Unpooled.wrappedBuffer(bytes);
  }

  private static ByteBuf mutated(PayloadKind kind, SplittableRandom random) {
    ByteBuf wire = Unpooled.buffer();
    Payloads.random(kind, random).encode(wire);
    for (int n = random.nextInt(4); n > 0 && wire.isReadable(); n--) {
      wire.setByte(random.nextInt(wire.writerIndex()), random.nextInt());
    }
    if (random.nextInt(4) == 0) {
      wire.writerIndex(random.nextInt(wire.writerIndex() + 1));
    }
    return wire;
  }

  @Test
  void headersOfNoiseAreRefusedOrComeBackAsTheyWere() {
    SplittableRandom random = new SplittableRandom(SEED + 200);
    for (int i = 0; i < FUZZ; i++) {
      ByteBuf wire = Unpooled.buffer();
      wire.writeInt(random.nextInt());
      wire.writeIntLE(random.nextBoolean() ? random.nextInt(16) : random.nextInt());
      wire.writeIntLE(random.nextBoolean() ? random.nextInt(5000) : random.nextInt());
      wire.writerIndex(random.nextInt(8) == 0 ? random.nextInt(12) : 12);
      ByteBuf copy = wire.copy();
      try {
        ByteBuf again = Unpooled.buffer();
        Header.decode(wire).encode(again);
        assertThat(again).as("seed %x round %d", SEED, i).isEqualTo(copy);
      } catch (ProtocolException e) {
        assertThat(e).hasMessageContaining("header");
      }
    }
  }

  @Test
  void aCountOfFourBillionRegionsAllocatesNothing() {
    ByteBuf wire = Unpooled.buffer();
    wire.writeInt(-1).writeInt(0);
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    refuseTable(wire);
    long before = threads.getCurrentThreadAllocatedBytes();
    refuseTable(wire);
    assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(1 << 20);
  }

  private static void refuseTable(ByteBuf wire) {
    assertThatThrownBy(() -> MemoryTablePayload.decode(wire.duplicate(), 8))
        .isInstanceOf(ProtocolException.class);
  }
}
