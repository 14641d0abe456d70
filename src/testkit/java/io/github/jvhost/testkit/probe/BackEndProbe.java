package io.github.jvhost.testkit.probe;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.trace.SortedTimes;
import io.github.jvhost.vhost.user.VhostUserFrontEnd;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Asks a back end what it offers. It starts and configures nothing: no SET_OWNER, no acknowledged
 * features, no memory, no ring, no status. It sets only what the specification requires before the
 * last three questions: the protocol features MQ, CONFIGURE_MEM_SLOTS and STATUS, if they are
 * offered. That setting ends with the connection, when the probe ends.
 *
 * <p>A back end that serves one front end at a time is busy meanwhile. If it has a front end
 * already, it lets the probe wait or hangs up. Stateless, and so thread-safe.
 */
public final class BackEndProbe {
  /** The protocol features that the questions need. */
  private static final long ASKING =
      ProtocolFeature.maskOf(
          ProtocolFeature.MQ, ProtocolFeature.CONFIGURE_MEM_SLOTS, ProtocolFeature.STATUS);

  /**
   * Round trips before the measured ones. They warm up our code, so that the measured times are the
   * back end's.
   */
  private static final int WARM_UP = 500;

  private static final String OTHERS =
      "it may be serving another front end, or not speak vhost-user";

  private BackEndProbe() {}

  /**
   * Connects, asks, and disconnects.
   *
   * @param socket where the back end listens
   * @param dialect what numbers mean; the probe does not ask about features that it masks
   * @param roundTrips how many round trips of GET_FEATURES to time, 0 or more
   * @param within the most time for connecting, and for each answer
   * @return the back end's answers, and how long {@code roundTrips} of them took
   * @throws DeadlineException if it does not accept the connection or does not answer in time
   * @throws VhostException if no process listens, or an answer is missing or invalid; the message
   *     names the socket
   */
  public static ProbeResult probe(Path socket, Dialect dialect, int roundTrips, Duration within) {
    DescriptorLedger ledger = DescriptorLedger.counting();
    try (VhostUserChannel channel =
        VhostUserChannel.connect(socket, "probe", dialect, ledger, Deadline.after(within))) {
      var frontEnd = new VhostUserFrontEnd(channel, within);
      long features = first(socket, frontEnd);
      return rest(socket, channel, frontEnd, features, roundTrips, within);
    }
  }

  /**
   * Sends the first question. The answer, or its absence, shows whether a back end listens there.
   */
  private static long first(Path socket, VhostUserFrontEnd frontEnd) {
    try {
      return frontEnd.getFeatures();
    } catch (DeadlineException e) {
      throw new DeadlineException(
          "%s took the connection and does not answer (%s); %s"
              .formatted(socket, e.getMessage(), OTHERS));
    } catch (BackEndGoneException e) {
      throw new VhostException(
          "%s took the connection and hung up (%s); %s".formatted(socket, e.getMessage(), OTHERS),
          e.recovery(),
          e);
    } catch (ProtocolException e) {
      throw new VhostException(
          "%s does not speak vhost-user (%s)".formatted(socket, e.getMessage()), e.recovery(), e);
    }
  }

  private static ProbeResult rest(
      Path socket,
      VhostUserChannel channel,
      VhostUserFrontEnd frontEnd,
      long features,
      int roundTrips,
      Duration within) {
    Dialect dialect = channel.dialect();
    try {
      OptionalLong offered = OptionalLong.empty();
      OptionalLong queues = OptionalLong.empty();
      OptionalLong slots = OptionalLong.empty();
      OptionalInt status = OptionalInt.empty();
      long acknowledged = 0;
      if ((features & VhostFeature.PROTOCOL_FEATURES) != 0) {
        long protocol = frontEnd.getProtocolFeatures();
        offered = OptionalLong.of(protocol);
        acknowledged = protocol & ASKING & ~dialect.maskedProtocolFeatures();
        if (acknowledged != 0) {
          frontEnd.setProtocolFeatures(acknowledged);
        }
        if (ProtocolFeature.MQ.isIn(acknowledged)) {
          queues = OptionalLong.of(frontEnd.getQueueNum());
        }
        if (ProtocolFeature.CONFIGURE_MEM_SLOTS.isIn(acknowledged)) {
          slots = OptionalLong.of(frontEnd.getMaxMemSlots());
        }
        if (ProtocolFeature.STATUS.isIn(acknowledged)) {
          status = OptionalInt.of(frontEnd.getStatus());
        }
      }
      SortedTimes replies = times(channel, roundTrips, within);
      return new ProbeResult(
          features, offered, acknowledged, queues, slots, status, replies, dialect);
    } catch (DeadlineException e) {
      throw new DeadlineException(socket + ": " + e.getMessage());
    } catch (VhostException e) {
      throw new VhostException(socket + ": " + e.getMessage(), e.recovery(), e);
    }
  }

  private static SortedTimes times(VhostUserChannel channel, int roundTrips, Duration within) {
    int warmUp = roundTrips == 0 ? 0 : WARM_UP;
    long[] nanos = new long[roundTrips];
    for (int i = -warmUp; i < roundTrips; i++) {
      Deadline deadline = Deadline.after(within);
      long start = System.nanoTime();
      channel.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, List.of(), false, deadline);
      channel.awaitReply(deadline);
      long took = System.nanoTime() - start;
      if (i >= 0) {
        nanos[i] = took;
      }
    }
    return SortedTimes.of(nanos, roundTrips);
  }
}
