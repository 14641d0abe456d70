package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.github.jvhost.Bytes;
import io.github.jvhost.VhostException;
import io.github.jvhost.virtio.VirtioNetState;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * The decoders of device state against mutated sections of a real QEMU and noise. {@code
 * -Djvhost.fuzz.cases=N} sets how many, {@code -Djvhost.fuzz.seed=N} repeats a run.
 */
class VmStateFuzzTest {
  private static final int CASES = Integer.getInteger("jvhost.fuzz.cases", 50_000);
  private static final long SEED = Long.getLong("jvhost.fuzz.seed", 0x5eed_0005L);

  /** What a decoder may allocate beside a multiple of its input. */
  private static final long MOST_BYTES = 4L << 20;

  private static final class Sample {
    final byte[] body;
    final SectionShape shape;

    Sample(byte[] body, SectionShape shape) {
      this.body = body;
      this.shape = shape;
    }
  }

  private static final List<Sample> SAMPLES =
      List.of(
          new Sample(Fixtures.load(Fixtures.MMIO), SectionShape.mmio(1)),
          new Sample(Fixtures.load(Fixtures.PCI_LEGACY), Fixtures.PCI),
          new Sample(withBackEndState(), SectionShape.mmio(1)));

  /** Small but for the state of a back end, so that this is where most mutations are. */
  private static byte[] withBackEndState() {
    VirtioNetState state =
        VirtioNetVmState.decode(ByteBuffer.wrap(Fixtures.load(Fixtures.MMIO)), 1);
    List<Bytes> chunks = Collections.nCopies(300, Bytes.zeros(3));
    return VirtioNetVmState.encode(state.withNet(state.net().withBackEnd(Optional.of(chunks))));
  }

  @Test
  void onlyVhostExceptionsComeOutAndLittleIsAllocated() {
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    SplittableRandom random = new SplittableRandom(SEED);
    int refused = 0;
    for (int i = 0; i < CASES; i++) {
      boolean record = random.nextInt(3) == 0;
      Sample sample = SAMPLES.get(random.nextInt(SAMPLES.size()));
      byte[] bytes = bytes(record ? record(sample, random) : sample.body, random);
      long before = threads.getCurrentThreadAllocatedBytes();
      try {
        if (record) {
          DeviceRecord.read(ByteBuffer.wrap(bytes));
        } else {
          VirtioNetVmState.decode(ByteBuffer.wrap(bytes), sample.shape);
        }
      } catch (VhostException e) {
        refused++;
      } catch (RuntimeException | Error e) {
        fail(describe(i, record, bytes), e);
      }
      if (threads.getCurrentThreadAllocatedBytes() - before > MOST_BYTES && i > 100) {
        fail("too much was allocated: " + describe(i, record, bytes));
      }
    }
    assertThat(refused).as("refused of %d", CASES).isBetween(CASES / 10, CASES - 1);
  }

  private static String describe(int i, boolean record, byte[] bytes) {
    return "seed %d case %d, %s, %s"
        .formatted(SEED, i, record ? "a record" : "a section", HexFormat.of().formatHex(bytes));
  }

  private static byte[] record(Sample sample, SplittableRandom random) {
    byte[] body = Arrays.copyOf(sample.body, random.nextInt(200));
    DeviceRecord.Kind[] kinds = DeviceRecord.Kind.values();
    return new DeviceRecord("net0", kinds[random.nextInt(kinds.length)], 7, Bytes.copyOf(body))
        .encode();
  }

  private static byte[] bytes(byte[] valid, SplittableRandom random) {
    if (random.nextInt(20) == 0) {
      byte[] noise = new byte[random.nextInt(2_000)];
      random.nextBytes(noise);
      return noise;
    }
    byte[] bytes = valid.clone();
    for (int n = random.nextInt(5); n > 0 && bytes.length > 0; n--) {
      bytes = mutate(bytes, random);
    }
    return bytes;
  }

  private static byte[] mutate(byte[] bytes, SplittableRandom random) {
    // Most fields that steer a decoder are in front; padding and tables fill the rest.
    int span = random.nextBoolean() ? Math.min(bytes.length, 256) : bytes.length;
    int at = random.nextInt(span);
    switch (random.nextInt(5)) {
      case 0 -> bytes[at] = (byte) random.nextInt();
      case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
      case 2 -> Arrays.fill(bytes, at, Math.min(bytes.length, at + 4), (byte) 0xFF);
      case 3 -> Arrays.fill(bytes, at, Math.min(bytes.length, at + 4), (byte) 0);
      default -> {
        return Arrays.copyOf(bytes, random.nextInt(4) == 0 ? at : bytes.length + random.nextInt(9));
      }
    }
    return bytes;
  }
}
