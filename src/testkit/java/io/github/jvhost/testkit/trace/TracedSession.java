package io.github.jvhost.testkit.trace;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * One session of a capture. Its replies are paired with requests, and its requests have phases.
 *
 * @param session the session's number, counted from 1
 * @param requests the front end's requests, in order
 * @param costs the costs of its phases, in the order of {@link SessionPhase}
 * @param phases the phase of each message of the session, in the order of the capture; raw bytes
 *     and messages of the back end's own channel are included
 */
public record TracedSession(
    int session, List<TracedRequest> requests, List<PhaseCost> costs, List<SessionPhase> phases) {

  /** Copies the lists. */
  public TracedSession {
    requests = List.copyOf(requests);
    costs = List.copyOf(costs);
    phases = List.copyOf(phases);
  }

  /**
   * {@return all sessions of a capture, in order}
   *
   * @param capture the recorded traffic
   */
  public static List<TracedSession> of(Capture capture) {
    SortedMap<Integer, Reading> readings = new TreeMap<>();
    for (CaptureEntry entry : capture.entries()) {
      readings.computeIfAbsent(entry.session(), Reading::new).accept(entry);
    }
    return readings.values().stream().map(Reading::end).toList();
  }

  /**
   * {@return the requests whose replies took longest, longest first; requests without reply are
   * left out}
   *
   * @param count the most requests to return, 0 or more
   */
  public List<TracedRequest> slowest(int count) {
    return requests.stream()
        .filter(TracedRequest::answered)
        .sorted(Comparator.comparingLong(TracedRequest::replyNanos).reversed())
        .limit(count)
        .toList();
  }

  /** Follows one session. */
  private static final class Reading {
    private final int session;
    private final PhaseTracker tracker = new PhaseTracker();
    private final List<TracedRequest> requests = new ArrayList<>();
    private final Deque<Integer> open = new ArrayDeque<>(); // indexes of requests
    private final Map<SessionPhase, Tally> tallies = new EnumMap<>(SessionPhase.class);
    private final List<SessionPhase> phases = new ArrayList<>();
    private SessionPhase phase = SessionPhase.NEGOTIATE;
    private long since = -1;
    private long last;
    private long lastReply;
    private boolean replying;

    private static final class Tally {
      private long nanos;
      private int messages;
      private int replies;
      private int waits;
      private long waited;
    }

    Reading(int session) {
      this.session = session;
    }

    void accept(CaptureEntry entry) {
      if (since < 0) {
        since = entry.nanos();
      }
      if (entry instanceof CapturedMessage message) {
        phases.add(
            switch (message.route()) {
              case TO_BACK_END -> request(message);
              case TO_FRONT_END -> reply(message);
              case ASKED, ANSWERED -> phase;
            });
      } else if (tracker.runs()) {
        enter(SessionPhase.RUN, last);
      }
      last = Math.max(last, entry.nanos());
    }

    TracedSession end() {
      tally(phase).nanos += Math.max(0, last - Math.max(0, since));
      List<PhaseCost> costs = new ArrayList<>();
      tallies.forEach((each, t) ->
          costs.add(new PhaseCost(each, t.nanos, t.messages, t.replies, t.waits, t.waited)));
      return new TracedSession(session, requests, costs, phases);
    }

    private SessionPhase request(CapturedMessage message) {
      boolean ran = tracker.runs();
      SessionPhase now = tracker.accept(message);
      if (ran && !tracker.runs()) {
        // RUN begins when the start is complete, and not only at this message.
        enter(SessionPhase.RUN, last);
      }
      enter(now, message.nanos());
      tally(now).messages++;
      open.addLast(requests.size());
      requests.add(new TracedRequest(message, now, null, 0));
      replying = false;
      return now;
    }

    /**
     * Pairs a reply with its request. Replies come in order, so the requests that are skipped have
     * no reply.
     */
    private SessionPhase reply(CapturedMessage message) {
      SessionPhase of = phase;
      while (!open.isEmpty()) {
        int index = open.removeFirst();
        TracedRequest asked = requests.get(index);
        if (asked.request().id() == message.id()) {
          long from = Math.max(asked.request().passed(), lastReply);
          long took = Math.max(0, message.nanos() - from);
          requests.set(index, new TracedRequest(asked.request(), asked.phase(), message, took));
          Tally tally = tally(asked.phase());
          tally.replies++;
          tally.waited += took;
          tally.waits += replying ? 0 : 1;
          of = asked.phase();
          break;
        }
      }
      replying = true;
      lastReply = message.nanos();
      return of;
    }

    private void enter(SessionPhase next, long nanos) {
      if (next != phase) {
        tally(phase).nanos += Math.max(0, nanos - since);
        phase = next;
        since = nanos;
      }
    }

    private Tally tally(SessionPhase of) {
      return tallies.computeIfAbsent(of, _ -> new Tally());
    }
  }
}
