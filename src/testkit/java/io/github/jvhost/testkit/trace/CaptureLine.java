package io.github.jvhost.testkit.trace;

import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.virtio.DeviceStatus;
import java.util.Locale;

/**
 * An entry of a capture as one line: the time, the direction, the parts of {@link MessageLine}, and
 * the names of feature bits.
 *
 * <pre>
 *   -&gt;  front end to back end        =&gt;  front end's answer on the back end's own channel
 *   &lt;-  back end to front end        &lt;=  back end's request there
 * </pre>
 *
 * <p>Pure functions: thread-safe.
 */
public final class CaptureLine {
  private CaptureLine() {}

  /**
   * {@return one entry as a line, without line feed}
   *
   * @param entry a message, or the beginning or end of a session
   * @param dialect what protocol feature bits mean
   */
  public static String of(CaptureEntry entry, Dialect dialect) {
    return String.format(Locale.ROOT, "%12.1f us ", entry.nanos() / 1e3)
        + switch (entry) {
          case CaptureEvent event ->
              event.connected()
                  ? "### session " + event.session() + " begins"
                  : "### session " + event.session() + " is over: " + event.why();
          case CapturedMessage message -> of(message, dialect);
        };
  }

  private static String of(CapturedMessage message, Dialect dialect) {
    String way =
        switch (message.route()) {
          case TO_BACK_END -> "->";
          case TO_FRONT_END -> "<-";
          case ASKED -> "<=";
          case ANSWERED -> "=>";
        };
    if (message.raw()) {
      return "%s %-22s sz=%d fds=%d"
          .formatted(way, message.name(), message.size(), message.descriptors());
    }
    String kept =
        message.size() > 0 && message.content().size() == 0
            ? "(not kept)"
            : MessageLine.of(message.payload());
    return "%s %-22s fl=0x%02x%s sz=%-3d fds=%d %s%s"
        .formatted(
            way,
            message.name(),
            message.flags(),
            message.needReply() ? " NEED_REPLY" : "",
            message.size(),
            message.descriptors(),
            kept,
            meaning(message, dialect))
        .stripTrailing();
  }

  /** Returns the names of a number's bits. */
  private static String meaning(CapturedMessage message, Dialect dialect) {
    FrontEndRequest request = message.request();
    if (request == null || !(message.payload() instanceof U64(long value))) {
      return "";
    }
    return switch (request) {
      case GET_FEATURES -> " " + FeatureNames.describe(value);
      case GET_PROTOCOL_FEATURES -> " " + dialect.describe(value);
      case GET_STATUS -> " " + DeviceStatus.describe((int) value);
      case SET_FEATURES -> isReply(message) ? "" : " " + FeatureNames.describe(value);
      case SET_PROTOCOL_FEATURES -> isReply(message) ? "" : " " + dialect.describe(value);
      case SET_STATUS -> isReply(message) ? "" : " " + DeviceStatus.describe((int) value);
      default -> "";
    };
  }

  private static boolean isReply(CapturedMessage message) {
    return message.route() == RelayRoute.TO_FRONT_END;
  }
}
