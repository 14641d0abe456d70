package io.github.jvhost.vhost;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** In a flight recording: a device goes on in another way than was asked for. */
@Name("io.github.jvhost.Fallback")
@Label("Fallback")
@Category("jvhost")
@Description("A device goes on without presetup, or was started once more from nothing")
@StackTrace(false)
final class FallbackEvent extends Event {
  @Label("Device")
  @Nullable String device;

  @Label("Why")
  @Nullable String why;
}
