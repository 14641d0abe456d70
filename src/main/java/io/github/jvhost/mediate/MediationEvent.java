package io.github.jvhost.mediate;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** In a flight recording: what a mediator has done to a NIC. */
@Name("io.github.jvhost.Mediation")
@Label("Mediation")
@Category("jvhost")
@Description("A presetup, a start or a move of a NIC between its front end and a switch")
@StackTrace(false)
final class MediationEvent extends Event {
  @Label("Device")
  @Description("The name of the NIC")
  @Nullable String device;

  @Label("What")
  @Description("presetup, start (the front end asked for it), replay (a switch came), move")
  @Nullable String what;

  @Label("Switch")
  @Nullable String backEnd;

  @Label("From")
  @Description("Who predicted what a presetup said")
  @Nullable String from;

  @Label("Messages")
  @Description("That the switch got")
  int messages;

  @Label("Start nanos")
  @Description("Of System.nanoTime")
  long startNanos;

  @Label("End nanos")
  @Description("Of System.nanoTime")
  long endNanos;

  @Label("Failure")
  @Nullable String failure;
}
