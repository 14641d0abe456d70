package io.github.jvhost.testkit.dpdk;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What one port of testpmd has counted since it started. The directions are the back end's: a
 * packet that the guest sends counts as received.
 *
 * @param port the port's number, which is the number of its socket
 * @param rxPackets packets taken from the guest's transmit rings
 * @param rxMissed packets that the port dropped before its application saw them
 * @param rxErrors packets that arrived with errors
 * @param rxNoBuffer packets that were not taken because testpmd had no buffer for them
 * @param txPackets packets put into the guest's receive rings
 * @param txErrors packets for the guest that the port counts as failed; DPDK 22.11 counts none here
 * @param txDropped packets for the guest that were dropped, because the guest had no buffer ready
 *     or no front end was connected
 */
public record PortStatistics(
    int port,
    long rxPackets,
    long rxMissed,
    long rxErrors,
    long rxNoBuffer,
    long txPackets,
    long txErrors,
    long txDropped) {

  // "show port stats all" prints, per port, "label: number" pairs under a heading of its own:
  //
  //   ################ NIC statistics for port 0  ################
  //   RX-packets: 12         RX-missed: 0          RX-bytes:  1176
  //   ...
  private static final Pattern NIC_HEADING = Pattern.compile("NIC statistics for port (\\d+)");

  // "show fwd stats all" has the same shape, first once per queue under another heading where
  // there are many, then once per port:
  //
  //   ---------------- Forward statistics for port 0  ----------------
  //   RX-packets: 12             RX-dropped: 0             RX-total: 12
  //   ...
  private static final Pattern FORWARD_HEADING =
      Pattern.compile("Forward statistics for port (\\d+)");

  /** {@return how many packets, in both directions, this port counted as lost} */
  public long dropped() {
    return rxMissed + rxErrors + txDropped;
  }

  /**
   * Reads the answers to the two commands.
   *
   * @param nic what {@code show port stats all} printed
   * @param forward what {@code show fwd stats all} printed
   * @return one entry per port, in the order of their numbers
   * @throws VhostException when a port or a number is not there
   */
  static List<PortStatistics> parse(String nic, String forward) {
    var result = new ArrayList<PortStatistics>();
    Matcher heading = NIC_HEADING.matcher(nic);
    while (heading.find()) {
      int port = Math.toIntExact(number(heading.group(1)));
      String block = block(NIC_HEADING, nic, heading.end());
      result.add(
          new PortStatistics(
              port,
              value(block, port, "RX-packets"),
              value(block, port, "RX-missed"),
              value(block, port, "RX-errors"),
              value(block, port, "RX-nombuf"),
              value(block, port, "TX-packets"),
              value(block, port, "TX-errors"),
              value(forwardBlock(forward, port), port, "TX-dropped")));
    }
    return List.copyOf(result);
  }

  private static String forwardBlock(String forward, int port) {
    Matcher heading = FORWARD_HEADING.matcher(forward);
    while (heading.find()) {
      if (number(heading.group(1)) == port) {
        return block(FORWARD_HEADING, forward, heading.end());
      }
    }
    return "";
  }

  /** The text from {@code start} up to the next heading of the same kind. */
  private static String block(Pattern heading, String text, int start) {
    Matcher next = heading.matcher(text);
    return text.substring(start, next.find(start) ? next.start() : text.length());
  }

  private static long value(String block, int port, String label) {
    Matcher value = Pattern.compile("\\b" + label + ":\\s*(\\d+)").matcher(block);
    if (!value.find()) {
      throw new VhostException(
          "reading testpmd's statistics: no " + label + " for port " + port, Recovery.GIVE_UP);
    }
    return number(value.group(1));
  }

  /** testpmd counts in unsigned 64 bit numbers. */
  private static long number(String digits) {
    try {
      return Long.parseUnsignedLong(digits);
    } catch (NumberFormatException e) {
      throw new VhostException(
          "reading testpmd's statistics: " + digits + " is no counter", Recovery.GIVE_UP, e);
    }
  }
}
