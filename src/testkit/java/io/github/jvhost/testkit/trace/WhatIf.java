package io.github.jvhost.testkit.trace;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Fact.Early;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.DeviceStatus;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An estimate of what the set-up in a capture would have cost with pipelining, and with presetup.
 * It is computed from the measured times.
 *
 * <pre>
 *   the set-up      the requests of CONFIGURE and START up to the first RUN
 *   a round trip    the quickest reply of the session
 *   work            of a reply: the time that it took, less a round trip; of requests that were not
 *                   answered it is in the next reply that was
 *   pipelined       all requests sent at once: one round trip, and the work of all
 *   presetup        the same of those requests alone that have to wait for the stop window
 * </pre>
 *
 * <p>Which requests have to wait is {@link Fact#isSettledEarly}. With presetup, a part of a ring
 * that the front end sent more than once counts once: a plan sends only the last value. With the
 * PRESETUP message, the parts that have to wait are also sent early, between START and END, and
 * both count. If the last message that has to wait has no answer, a barrier is added.
 *
 * <p>The reply to a request that has to wait may include work of earlier requests, which then
 * counts for the later one. So the estimate is rather too high than too low. It does not include
 * what a back end does after its reply.
 *
 * @param recorded the costs in the capture
 * @param variants the estimated costs
 */
public record WhatIf(Cost recorded, List<Variant> variants) {
  /** The two PRESETUP messages. */
  private static final int START_AND_END = 2;

  /**
   * The cost of a set-up.
   *
   * @param messages how many messages are sent
   * @param waits how often the front end waits
   * @param nanos the time of waiting for replies, in nanoseconds; measured in {@link
   *     WhatIf#recorded}, otherwise modelled
   */
  public record Cost(int messages, int waits, long nanos) {}

  /**
   * Another way to do the set-up.
   *
   * @param name its name
   * @param early how many messages are sent before the window
   * @param window the cost in the window
   * @param note what is assumed, or why this way is not possible for the session
   */
  public record Variant(String name, int early, Cost window, String note) {}

  /** Copies the list. */
  public WhatIf {
    variants = List.copyOf(variants);
  }

  /**
   * {@return the estimate for one session; without variants if it set up nothing}
   *
   * @param session any session, also one without a set-up
   */
  public static WhatIf of(TracedSession session) {
    List<TracedRequest> setUp = setUp(session);
    long floor =
        session.requests().stream()
            .filter(TracedRequest::answered)
            .mapToLong(TracedRequest::replyNanos)
            .min()
            .orElse(0);
    long waited = setUp.stream().mapToLong(TracedRequest::replyNanos).sum();
    var recorded = new Cost(setUp.size(), waits(setUp), waited);
    if (setUp.isEmpty()) {
      return new WhatIf(recorded, List.of());
    }
    long protocol = protocolFeatures(session);
    boolean status = ProtocolFeature.STATUS.isIn(protocol);
    List<Variant> variants = new ArrayList<>();
    variants.add(
        new Variant(
            "pipelined",
            0,
            modelled(setUp, floor),
            "everything in the window, sent at once" + notAwaited(setUp)));
    List<TracedRequest> once = once(setUp);
    variants.add(
        variant(
            "explicit",
            once,
            floor,
            Early.EXPLICIT_HOLDING,
            true,
            status
                ? "if the back end knew PRESETUP, and held its rings until DRIVER_OK as NVIDIA's"
                    + " does"
                : "STATUS was not negotiated; it would have to be, and PRESETUP too"));
    variants.add(
        variant(
            "implicit, any back end",
            once,
            floor,
            Early.of(PresetupMode.IMPLICIT, capabilities(protocol, BackEndProfile.GENERIC)),
            false,
            "unmodified"));
    variants.add(
        variant(
            "implicit, DPDK",
            once,
            floor,
            Early.of(PresetupMode.IMPLICIT, capabilities(protocol, BackEndProfile.DPDK)),
            false,
            status
                ? "if it is DPDK, and no ring's base differs from its used index"
                : "without STATUS as any other"));
    return new WhatIf(recorded, variants);
  }

  /** Returns how often the front end waited for a reply before it sent more. */
  private static int waits(List<TracedRequest> requests) {
    int waits = 0;
    for (int i = 0; i < requests.size(); i++) {
      CapturedMessage reply = requests.get(i).reply();
      boolean nothingMore =
          i + 1 == requests.size()
              || (reply != null && requests.get(i + 1).request().nanos() >= reply.nanos());
      waits += reply != null && nothingMore ? 1 : 0;
    }
    return waits;
  }

  private static BackEndCapabilities capabilities(long protocol, BackEndProfile profile) {
    return new BackEndCapabilities(0, protocol, 1, Dialect.UPSTREAM, profile);
  }

  private static long protocolFeatures(TracedSession session) {
    long acknowledged = 0;
    for (TracedRequest request : session.requests()) {
      if (request.request().request() == FrontEndRequest.SET_PROTOCOL_FEATURES) {
        acknowledged = MessageDecoder.number(request.request());
      }
    }
    return acknowledged;
  }

  private static List<TracedRequest> setUp(TracedSession session) {
    List<TracedRequest> setUp = new ArrayList<>();
    for (TracedRequest request : session.requests()) {
      switch (request.phase()) {
        case CONFIGURE, START -> setUp.add(request);
        case NEGOTIATE -> {
          // These are sent at connection time in each variant.
        }
        case RUN, STOP -> {
          return setUp;
        }
      }
    }
    return setUp;
  }

  /** Leaves out the messages about a ring that a later message replaces. */
  private static List<TracedRequest> once(List<TracedRequest> setUp) {
    List<TracedRequest> once = new ArrayList<>();
    Set<RingPart> told = new HashSet<>();
    for (TracedRequest request : setUp.reversed()) {
      RingPart part = RingPart.of(request.request());
      if (part == null || told.add(part)) {
        once.add(request);
      }
    }
    Collections.reverse(once);
    return once;
  }

  /** The part of a ring that a request sets. */
  private record RingPart(FrontEndRequest request, int ring) {
    static @Nullable RingPart of(CapturedMessage message) {
      FrontEndRequest request = message.request();
      if (request == null) {
        return null;
      }
      return switch (message.payload()) {
        case VringState state -> new RingPart(request, state.index());
        case VringAddress address -> new RingPart(request, address.index());
        case VringDescriptor descriptor -> new RingPart(request, descriptor.index());
        default -> null;
      };
    }
  }

  private static Variant variant(
      String name, List<TracedRequest> setUp, long floor, Early to, boolean explicit, String note) {
    List<TracedRequest> late = new ArrayList<>();
    boolean started = false;
    int early = explicit ? START_AND_END : 0;
    for (TracedRequest request : setUp) {
      boolean barrier = started && request.request().request() == FrontEndRequest.GET_STATUS;
      boolean waits = barrier || hasToWait(request.request(), to);
      if (waits) {
        late.add(request);
        started |= request.request().request() == FrontEndRequest.SET_STATUS;
      }
      boolean twice = explicit && RingPart.of(request.request()) != null;
      early += !waits || twice ? 1 : 0;
    }
    return new Variant(name, early, modelled(late, floor), note + notAwaited(late));
  }

  private static boolean hasToWait(CapturedMessage message, Early to) {
    FrontEndRequest request = message.request();
    if (request == null) {
      return true;
    }
    return switch (request) {
      case SET_VRING_BASE -> true;
      case SET_VRING_NUM -> !Fact.SIZE.isSettledEarly(to);
      case SET_VRING_ADDR -> !Fact.ADDRESS.isSettledEarly(to);
      case SET_VRING_KICK -> !Fact.KICK.isSettledEarly(to);
      case SET_VRING_CALL -> !Fact.CALL.isSettledEarly(to);
      case SET_STATUS -> (MessageDecoder.number(message) & DeviceStatus.DRIVER_OK) != 0;
      default -> false;
    };
  }

  /** Returns what the estimate lacks: work for which the front end did not wait in the capture. */
  private static String notAwaited(List<TracedRequest> requests) {
    if (requests.isEmpty() || requests.getLast().answered()) {
      return "";
    }
    return "; without the work of "
        + requests.getLast().request().name()
        + ", which no reply shows";
  }

  /** Returns the cost with one wait, for the last reply or for a barrier behind it. */
  private static Cost modelled(List<TracedRequest> requests, long floor) {
    if (requests.isEmpty()) {
      return new Cost(0, 0, 0);
    }
    long nanos = floor;
    for (TracedRequest request : requests) {
      nanos += request.answered() ? Math.max(0, request.replyNanos() - floor) : 0;
    }
    int barrier = requests.getLast().answered() ? 0 : 1;
    return new Cost(requests.size() + barrier, 1, nanos);
  }
}
