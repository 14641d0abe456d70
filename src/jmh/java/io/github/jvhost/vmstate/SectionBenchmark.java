package io.github.jvhost.vmstate;

import io.github.jvhost.bench.SampleMachine;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.ByteBuffer;
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

/** A virtio-net section of a modern PCI device with two queue pairs, and copying as many bytes. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class SectionBenchmark {
  private static final int PAIRS = 2;

  private final VirtioNetState state = SampleMachine.device(PAIRS);
  private final byte[] body = VirtioNetVmState.encode(state);
  private final SectionShape shape = SectionShape.of(state);

  /** Reads it. */
  @Benchmark
  public VirtioNetState read() {
    return VirtioNetVmState.decode(ByteBuffer.wrap(body), shape);
  }

  /** Writes it. */
  @Benchmark
  public byte[] write() {
    return VirtioNetVmState.encode(state);
  }

  /** Copies it. */
  @Benchmark
  public byte[] copy() {
    return body.clone();
  }
}
