package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Known;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.PreparedPlan;
import io.github.jvhost.vhost.plan.RingShadow;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.StoppedRings;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Test aid: a carrier without a socket. Plans are carried out at once on a back end that is a map,
 * as an ioctl would: nothing is acknowledged, and no barrier is needed.
 */
final class MemoryCarrier implements Carrier {
  private final BackEndCapabilities capabilities;
  private final Map<Fact<?>, Object> device = new HashMap<>();
  private final Map<Integer, Map<Fact<?>, Object>> rings = new HashMap<>();
  private final List<Plan> plans = new ArrayList<>();
  private boolean closed;

  MemoryCarrier(BackEndCapabilities capabilities) {
    this.capabilities = capabilities;
  }

  /** Those that were carried out, oldest first. */
  List<Plan> plans() {
    return plans;
  }

  @Override
  public BackEndCapabilities capabilities() {
    return capabilities;
  }

  @Override
  public Execution begin(Plan plan, Deadline deadline, StoppedRings stopped) {
    return new Turn(plan, stopped);
  }

  @Override
  public boolean usable() {
    return !closed;
  }

  @Override
  public int number() {
    return -1;
  }

  @Override
  public @Nullable VhostException look(Deadline deadline) {
    return null;
  }

  @Override
  public void close() {
    closed = true;
    device.clear();
    rings.clear();
  }

  private Map<Fact<?>, Object> ring(int index) {
    return rings.computeIfAbsent(index, _ -> new HashMap<>());
  }

  private int baseOf(int index) {
    return ring(index).get(Fact.BASE) instanceof Integer base ? base : 0;
  }

  private boolean runs(int index) {
    return ring(index).containsKey(Fact.KICK);
  }

  /** What a shadow says that is not so; empty: it says nothing wrong. */
  List<String> unlike(Shadow shadow) {
    List<String> wrong = new ArrayList<>();
    for (Fact<?> fact : Fact.OF_DEVICE) {
      compare(fact.name(), shadow.get(fact), device.get(fact), wrong);
    }
    for (int i = 0; i < shadow.rings().size(); i++) {
      RingShadow ring = shadow.ring(i);
      if ((ring.run() != RingShadow.Run.STOPPED) != runs(i)) {
        wrong.add("ring %d is %s, and runs: %s".formatted(i, ring.run(), runs(i)));
      }
      for (Fact<?> fact : Fact.OF_RING) {
        compare("ring " + i + " " + fact.name(), ring.get(fact), ring(i).get(fact), wrong);
      }
    }
    return wrong;
  }

  private static void compare(
      String what, Known<?> said, @Nullable Object held, List<String> wrong) {
    boolean right =
        switch (said) {
          case Known.Held<?>(Object value) -> value.equals(held);
          case Known.NotSent<?> _ -> held == null;
          case Known.Unknown<?> _ -> true;
        };
    if (!right) {
      wrong.add("%s: said to be %s, is %s".formatted(what, said, held));
    }
  }

  /** One plan. */
  private final class Turn implements Execution {
    private final Plan planned;
    private final StoppedRings stopped;
    private final @Nullable Integer[] told;
    private final @Nullable Integer[] bases;
    private final long begun = System.nanoTime();
    private int taken;
    private boolean finished;
    private @Nullable VhostException failure;

    Turn(Plan plan, StoppedRings stopped) {
      this.planned = plan;
      this.stopped = stopped;
      this.told = new Integer[plan.steps().size()];
      this.bases = new Integer[plan.steps().size()];
    }

    @Override
    public void base(int step, int base) {
      told[step] = base;
    }

    @Override
    public boolean advance(boolean ready) {
      if (!finished) {
        for (PlannedStep step : plan().steps()) {
          take(step.step(), taken);
          taken++;
        }
        plans.add(plan());
        finished = true;
      }
      return true;
    }

    private void take(Step step, int index) {
      switch (step) {
        case Step.Set<?> s when s.ring() == Step.NO_RING -> device.put(s.fact(), s.value());
        case Step.Set<?> s -> ring(s.ring()).put(s.fact(), s.value());
        case Step.SetRingAddress s -> {
          ring(s.ring()).put(Fact.ADDRESS, s.addresses());
          ring(s.ring()).put(Fact.LOG_USED, s.logUsed());
        }
        case Step.StopRing(int ring) -> {
          bases[index] = baseOf(ring);
          ring(ring).remove(Fact.KICK);
        }
        case Step.ResumeRing(int ring) -> {
          Integer base = Objects.requireNonNull(stopped.goesOnAt(ring, baseOf(ring)));
          bases[index] = base;
          ring(ring).put(Fact.BASE, base);
        }
        case Step.ReadStatus _ -> {
          // It is what it was set to.
        }
        default -> throw new IllegalStateException("not offered: " + step);
      }
    }

    @Override
    public int number() {
      return -1;
    }

    @Override
    public void abandon(VhostException why) {
      if (!finished) {
        failure = why;
        finished = true;
      }
    }

    @Override
    public @Nullable VhostException failure() {
      return failure;
    }

    @Override
    public Plan plan() {
      return PreparedPlan.withBases(planned, told);
    }

    @Override
    public Outcome outcome() {
      if (!finished) {
        throw new VhostException("not finished", Recovery.GIVE_UP);
      }
      long now = System.nanoTime();
      return new Outcome(
          taken, taken, Arrays.asList(bases), null, List.of(), taken, 0, begun, now, failure);
    }
  }
}
