package io.github.jvhost.testkit.trace;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * One session of a capture, its replies paired with requests, its requests assigned to phases.
 *
 * @param session which one, counted from 1
 * @param requests of the front end's, in order
 * @param costs of the phases that it had, in the order of {@link SessionPhase}
 * @param phases in which phase each message of the session was
 */
public record TracedSession(
    int session,
    List<TracedRequest> requests,
    List<PhaseCost> costs,
    Map<CapturedMessage, SessionPhase> phases) {

  /** Copies. */
  public TracedSession {
    requests = List.copyOf(requests);
    costs = List.copyOf(costs);
    phases = Map.copyOf(phases);
  }

  /**
   * {@return all sessions of a capture, in order}
   *
   * @param capture what a proxy has seen
   */
  public static List<TracedSession> of(Capture capture) {
    return capture.entries().stream()
        .map(CaptureEntry::session)
        .distinct()
        .sorted()
        .map(session -> new Reading(session).read(capture.entries()))
        .toList();
  }

  /**
   * {@return the requests whose replies took longest, longest first; those without reply are none}
   *
   * @param count how many at most, 0 or more
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
    private final Map<CapturedMessage, SessionPhase> phases = new HashMap<>();
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

    TracedSession read(List<CaptureEntry> entries) {
      for (CaptureEntry entry : entries) {
        if (entry.session() != session) {
          continue;
        }
        if (since < 0) {
          since = entry.nanos();
        }
        if (entry instanceof CapturedMessage message) {
          switch (message.route()) {
            case TO_BACK_END -> request(message);
            case TO_FRONT_END -> reply(message);
            case ASKED, ANSWERED -> phases.put(message, phase);
          }
        } else if (tracker.runs()) {
          enter(SessionPhase.RUN, last);
        }
        last = Math.max(last, entry.nanos());
      }
      tally(phase).nanos += Math.max(0, last - Math.max(0, since));
      List<PhaseCost> costs = new ArrayList<>();
      tallies.forEach((each, t) ->
          costs.add(new PhaseCost(each, t.nanos, t.messages, t.replies, t.waits, t.waited)));
      return new TracedSession(session, requests, costs, phases);
    }

    private void request(CapturedMessage message) {
      boolean ran = tracker.runs();
      SessionPhase now = tracker.accept(message);
      if (ran && !tracker.runs()) {
        // It ran since the start was complete, and not only since this message.
        enter(SessionPhase.RUN, last);
      }
      enter(now, message.nanos());
      tally(now).messages++;
      phases.put(message, now);
      open.addLast(requests.size());
      requests.add(new TracedRequest(message, now, null, 0));
      replying = false;
    }

    /** Replies come in order; what was passed over is not answered. */
    private void reply(CapturedMessage message) {
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
          phases.put(message, asked.phase());
          break;
        }
      }
      phases.putIfAbsent(message, phase);
      replying = true;
      lastReply = message.nanos();
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
