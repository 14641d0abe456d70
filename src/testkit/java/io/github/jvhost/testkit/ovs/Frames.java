package io.github.jvhost.testkit.ovs;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The frames that a port of the switch has counted.
 *
 * @param received frames from the device
 * @param sent frames to the device
 */
public record Frames(long received, long sent) {
  private static final Pattern RECEIVED = Pattern.compile("RX packets:(\\d+)");
  private static final Pattern SENT = Pattern.compile("TX packets:(\\d+)");

  /**
   * Reads the output of {@code dpctl/show -s}.
   *
   * <pre>
   *   port 2: port0 (dpdkvhostuserclient: ...)
   *     RX packets:12 errors:0 dropped:0 overruns:? frame:?
   *     TX packets:11 errors:0 dropped:0 aborted:? carrier:?
   * </pre>
   */
  static Frames parse(String shown, String port) {
    Matcher at = Pattern.compile("port \\d+: " + Pattern.quote(port) + "\\b").matcher(shown);
    if (at.find()) {
      Matcher received = RECEIVED.matcher(shown).region(at.end(), shown.length());
      Matcher sent = SENT.matcher(shown).region(at.end(), shown.length());
      if (received.find() && sent.find()) {
        return new Frames(Long.parseLong(received.group(1)), Long.parseLong(sent.group(1)));
      }
    }
    throw new VhostException(
        "reading the counters of " + port + ": " + shown.strip().replaceAll("\\s*\\n\\s*", " | "),
        Recovery.GIVE_UP);
  }
}
