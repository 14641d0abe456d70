package io.github.jvhost.vhost;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** In a flight recording: an attempt to make a connection in place of another. */
@Name("io.github.jvhost.Reconnect")
@Label("Reconnect")
@Category("jvhost")
@Description("An attempt to connect a device again, with the first requests to its back end")
@StackTrace(false)
final class ReconnectEvent extends Event {
  @Label("Device")
  @Nullable String device;

  @Label("Attempt")
  @Description("Since the connection was lost, from 1")
  int attempt;

  @Label("Why")
  @Description("Why the earlier connection cannot be used any more")
  @Nullable String why;

  @Label("Failure")
  @Description("Why the attempt failed; null: the device is connected")
  @Nullable String failure;
}
