package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.kernel.Turn;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Known;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.RingShadow;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.StoppedRings;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Test aid: a carrier without a socket. Plans are carried out at once on a back end that is a map,
 * as an ioctl would: nothing is acknowledged, and no barrier is needed.
 */
final class MemoryCarrier implements Carrier {
  private final BackEndCapabilities capabilities;
  private final Map<Fact<?>, Object> device = new HashMap<>();
  private final Map<Integer, Map<Fact<?>, Object>> rings = new HashMap<>();
  private final List<Turn> turns = new ArrayList<>();
  private boolean closed;
  private boolean over;

  MemoryCarrier(BackEndCapabilities capabilities) {
    this.capabilities = capabilities;
  }

  /** Those that were carried out, oldest first. */
  List<Plan> plans() {
    return turns.stream().map(Turn::plan).toList();
  }

  @Override
  public BackEndCapabilities capabilities() {
    return capabilities;
  }

  @Override
  public Execution begin(Plan plan, Deadline deadline, StoppedRings stopped) {
    return new Steps(plan, stopped).turn;
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

  /** As a device of the kernel whose thread was left behind: it is over when it was waited for. */
  @Override
  public boolean awaitClosed(Deadline deadline) {
    over = closed;
    return over;
  }

  boolean isOver() {
    return over;
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

  /** One plan, which counts as carried out from its first step on. */
  private final class Steps implements Turn.Steps {
    private final Turn turn;

    Steps(Plan plan, StoppedRings stopped) {
      turn = new Turn("memory", plan, stopped, this);
    }

    @Override
    public @Nullable Integer take(Step step) {
      if (turns.isEmpty() || turns.getLast() != turn) {
        turns.add(turn);
      }
      switch (step) {
        case Step.Set<?> s when s.ring() == Step.NO_RING -> device.put(s.fact(), s.value());
        case Step.Set<?> s -> ring(s.ring()).put(s.fact(), s.value());
        case Step.SetRingAddress s -> {
          ring(s.ring()).put(Fact.ADDRESS, s.addresses());
          ring(s.ring()).put(Fact.LOG_USED, s.logUsed());
        }
        case Step.StopRing(int ring) -> {
          ring(ring).remove(Fact.KICK);
          return baseOf(ring);
        }
        case Step.ReadStatus _ -> {
          // It is what it was set to.
        }
        default -> throw new IllegalStateException("not offered: " + step);
      }
      return null;
    }

    @Override
    public int calls() {
      return 0;
    }

    @Override
    public boolean givenUp() {
      return false;
    }
  }
}
