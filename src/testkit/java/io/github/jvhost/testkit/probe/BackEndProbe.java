package io.github.jvhost.testkit.probe;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndGoneException;
import io.github.jvhost.channel.DeadlineException;
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
import io.github.jvhost.vhost.VhostUserFrontEnd;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Asks a back end what it is. Nothing is started and nothing configured: no SET_OWNER, no features
 * acknowledged, no memory, no ring, no status. The one thing that is set is what the specification
 * demands before the last three questions may be asked: the protocol features MQ,
 * CONFIGURE_MEM_SLOTS and STATUS, as far as they are offered. The connection ends with the probe,
 * and with it that setting.
 *
 * <p>A back end that serves one front end at a time is busy meanwhile; one that has a front end
 * already lets the probe wait, or hangs up. Stateless: thread-safe.
 */
public final class BackEndProbe {
  /** Everything that only asking needs. */
  private static final long ASKING =
      ProtocolFeature.maskOf(
          ProtocolFeature.MQ, ProtocolFeature.CONFIGURE_MEM_SLOTS, ProtocolFeature.STATUS);

  /** Round trips before any counts: the code has to be warm for the times to be the back end's. */
  private static final int WARM_UP = 500;

  private static final String OTHERS =
      "it may be serving another front end, or not speak vhost-user";

  private BackEndProbe() {}

  /**
   * Connects, asks, and disconnects.
   *
   * @param socket where the back end listens
   * @param dialect what numbers mean; features that it masks are not asked about
   * @param roundTrips of GET_FEATURES that are timed, 0 or more
   * @param within how long connecting and each answer may take
   * @return what the back end answered, and how long {@code roundTrips} of its answers took
   * @throws DeadlineException if it makes no room for a connection, or does not answer in time
   * @throws VhostException if nobody listens, or an answer is missing or makes no sense; the
   *     message names the socket
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

  /** Its answer, or the lack of one, tells whether that is a back end at all. */
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
