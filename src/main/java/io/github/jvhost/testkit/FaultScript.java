package io.github.jvhost.testkit;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.testkit.Faults.When;
import io.github.jvhost.testkit.Faults.Wrong;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The counters of one armed {@link Faults}. Used by one thread. */
final class FaultScript {
  private final Faults faults;
  private final Map<FrontEndRequest, Integer> occurrences = new EnumMap<>(FrontEndRequest.class);
  private int messages;

  FaultScript(Faults faults) {
    this.faults = faults;
  }

  /** Whether the message that waits in the socket, whatever it is, shall not even be read. */
  boolean leavesNextUnread() {
    for (Faults.Fault fault : faults.script()) {
      if (fault.wrong() instanceof Wrong.NeverRead
          && fault.when() instanceof When.Message message
          && messages + 1 >= message.nth()) {
        return true;
      }
    }
    return false;
  }

  /** Counts a message; answers what goes wrong with it, null for nothing. */
  @Nullable Wrong next(@Nullable FrontEndRequest request) {
    messages++;
    int occurrence = request == null ? 0 : occurrences.merge(request, 1, Integer::sum);
    for (Faults.Fault fault : faults.script()) {
      boolean applies =
          switch (fault.when()) {
            case When.Message message -> message.nth() == messages;
            case When.Occurrence which -> which.request() == request && which.nth() == occurrence;
          };
      if (applies) {
        return fault.wrong();
      }
    }
    return null;
  }
}
