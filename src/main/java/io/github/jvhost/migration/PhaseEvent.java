package io.github.jvhost.migration;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** A phase of a migration on one side, or a part of one, as a flight recording has it. */
@Name("io.github.jvhost.Phase")
@Label("Migration Phase")
@Category("jvhost")
@Description("A phase of a migration, or a part of one, as one side sees it")
@StackTrace(false)
final class PhaseEvent extends Event {
  @Label("Side")
  @Description("source or destination")
  @Nullable String side;

  @Label("Phase")
  @Nullable String phase;

  @Label("Part")
  @Description("What of the phase this was; null: all of it")
  @Nullable String part;

  @Label("Start Nanos")
  @Description("Of System.nanoTime(); the reports have the same numbers")
  long startNanos;

  @Label("End Nanos")
  @Description("Of System.nanoTime(); the reports have the same numbers")
  long endNanos;

  @Label("Failure")
  @Description("Why the migration ended in this phase; null: it did not")
  @Nullable String failure;

  void begins(String ofSide, Phase ofPhase, long now) {
    begin();
    side = ofSide;
    phase = ofPhase.name();
    part = null;
    failure = null;
    startNanos = now;
  }

  void ends(@Nullable String name, long now) {
    end();
    part = name;
    endNanos = now;
  }
}
