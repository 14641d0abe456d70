package io.github.jvhost.vhost;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** An attempt to get a connection in place of another, as a flight recording has it. */
@Name("io.github.jvhost.Reconnect")
@Label("Reconnect")
@Category("jvhost")
@Description("An attempt to connect a device anew, with the first questions to its back end")
@StackTrace(false)
final class ReconnectEvent extends Event {
  @Label("Device")
  @Nullable String device;

  @Label("Attempt")
  @Description("Since the connection was lost, from 1")
  int attempt;

  @Label("Why")
  @Description("Why the connection before is of no use any more")
  @Nullable String why;

  @Label("Failure")
  @Description("Why the attempt failed; null: the device is connected")
  @Nullable String failure;
}
