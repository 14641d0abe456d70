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
  private int connections;

  FaultScript(Faults faults) {
    this.faults = faults;
  }

  /** Counts a connection. Returns true if it has to be closed at once. */
  boolean endsConnection() {
    connections++;
    return faults.script().stream()
        .anyMatch(f -> f.when() instanceof When.Connection which && which.nth() == connections);
  }

  /** Does not count the last connection. Faults that were armed since have not counted it. */
  void forgetConnection() {
    connections = Math.max(0, connections - 1);
  }

  /** Returns the fault that happens before the next message is read, or null. */
  @Nullable Wrong beforeReading() {
    for (Faults.Fault fault : faults.script()) {
      if (fault.when() instanceof When.Message message) {
        boolean applies =
            switch (fault.wrong()) {
              case Wrong.NeverRead _ -> messages + 1 >= message.nth();
              case Wrong.HangUpUnread _, Wrong.HangUpInHeader _, Wrong.HangUpInPayload _ ->
                  messages + 1 == message.nth();
              default -> false;
            };
        if (applies) {
          return fault.wrong();
        }
      }
    }
    return null;
  }

  /** Counts a message that was not read. */
  void skip() {
    messages++;
  }

  /** Counts a message. Returns its fault, or null if it has none. */
  @Nullable Wrong next(@Nullable FrontEndRequest request) {
    messages++;
    int occurrence = request == null ? 0 : occurrences.merge(request, 1, Integer::sum);
    for (Faults.Fault fault : faults.script()) {
      boolean applies =
          switch (fault.when()) {
            case When.Message message -> message.nth() == messages;
            case When.Connection _ -> false;
            case When.Every each -> each.request() == request;
            case When.Occurrence which -> which.request() == request && which.nth() == occurrence;
          };
      if (applies) {
        return fault.wrong();
      }
    }
    return null;
  }
}
