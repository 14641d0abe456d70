package io.github.jvhost.vhost;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What is left to tell, found out for the stop window, and all of it where nothing was early. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class PlannerBenchmark {
  /** Of one device. */
  @Param({"1", "16", "256"})
  public int pairs;

  private final Configs configs = new Configs();
  private final BackEndCapabilities capabilities = Configs.backEndWithPresetup();
  private DeviceConfig running;
  private Shadow early;

  @SuppressWarnings("NullAway.Init") // JMH calls the method below
  public PlannerBenchmark() {}

  /** What a back end holds after explicit presetup, and what it is to hold. */
  @Setup(Level.Trial)
  public void presetup() {
    DeviceConfig one = configs.running(1);
    List<RingConfig> rings = new ArrayList<>(2 * pairs);
    for (int i = 0; i < 2 * pairs; i++) {
      rings.add(one.rings().get(i & 1)); // where a ring lies makes no difference here
    }
    running = one.with(one.lifecycle(), rings);
    Plan plan =
        Planner.plan(Shadow.nothingTold(), EarlyConfiguration.explicit(running), capabilities);
    early = Configs.after(Shadow.nothingTold(), plan);
  }

  /** Closes what the configurations are made of. */
  @TearDown(Level.Trial)
  public void close() {
    configs.close();
  }

  /** The difference. */
  @Benchmark
  public List<PlannedStep> window() {
    return Planner.plan(early, running, capabilities).steps();
  }

  /** Everything. */
  @Benchmark
  public List<PlannedStep> fromNothing() {
    return Planner.plan(Shadow.nothingTold(), running, capabilities).steps();
  }
}
