package io.github.jvhost.mediate.keep;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Descriptors that a service manager has handed to this process, by the protocol of
 * sd_listen_fds(3): sockets of the unit with their names there, and what an earlier process has put
 * into a {@link SystemdStore}.
 *
 * <pre>
 *   LISTEN_PID=our process
 *   LISTEN_FDS=n: descriptors 3 to 3 + n - 1
 *   LISTEN_FDNAMES=name:name:...
 * </pre>
 *
 * <p>Thread-safe.
 */
public final class HandedDescriptors {
  /** SD_LISTEN_FDS_START: 0 to 2 are standard input, output and error. */
  private static final int FIRST = 3;

  /** More than systemd would give; a count beyond that is nonsense. */
  private static final int MOST = 4096;

  /** What systemd calls a descriptor that it has no name for. */
  private static final String UNNAMED = "unknown";

  private final DescriptorLedger ledger;
  private final int first;

  /** In the order of their numbers. */
  private final List<String> names;

  private boolean taken;

  private HandedDescriptors(DescriptorLedger ledger, List<String> names, int first) {
    this.ledger = ledger;
    this.names = names;
    this.first = first;
  }

  /**
   * Finds what was handed over.
   *
   * @param environment of this process, {@link System#getenv()}
   * @param ledger records what is taken up
   * @return it, which is nothing if no service manager has started us
   * @throws VhostException (GIVE_UP) if the environment is not as systemd would make it
   */
  public static HandedDescriptors of(Map<String, String> environment, DescriptorLedger ledger) {
    return of(environment, ledger, FIRST);
  }

  /** As the other, with another number of the first descriptor. */
  static HandedDescriptors of(Map<String, String> environment, DescriptorLedger ledger, int first) {
    return new HandedDescriptors(ledger, names(environment), first);
  }

  private static List<String> names(Map<String, String> environment) {
    long self = ProcessHandle.current().pid();
    // A parent that passes its whole environment on also passes what was meant for itself.
    if (!environment.getOrDefault("LISTEN_PID", "").equals(String.valueOf(self))) {
      return List.of();
    }
    int count = number(environment, "LISTEN_FDS", MOST);
    String names = environment.get("LISTEN_FDNAMES");
    if (names == null) {
      return Collections.nCopies(count, UNNAMED);
    }
    List<String> all = count == 0 ? List.of() : List.of(names.split(":", -1));
    if (all.size() != count) {
      throw new VhostException(
          "LISTEN_FDS is %d, and LISTEN_FDNAMES has %d names".formatted(count, all.size()),
          Recovery.GIVE_UP);
    }
    return all;
  }

  /** A number in the environment, 0 without it. */
  static int number(Map<String, String> environment, String variable, int most) {
    String text = environment.getOrDefault(variable, "0");
    try {
      int number = Integer.parseInt(text);
      if (number >= 0 && number <= most) {
        return number;
      }
    } catch (NumberFormatException e) {
      // The message below is for this, too.
    }
    throw new VhostException(
        "%s is %s, and should be a number from 0 to %d".formatted(variable, text, most),
        Recovery.GIVE_UP);
  }

  /**
   * Takes all of them. Where two have the same name, which systemd allows, the second one is
   * closed. A second call returns nothing.
   *
   * @return by name; the caller owns the descriptors and may change the map
   * @throws VhostException if one of them is not open; nothing stays open here then
   */
  public synchronized Map<String, OwnedDescriptor> takeUp() {
    Map<String, OwnedDescriptor> all = new HashMap<>();
    if (taken) {
      return all;
    }
    taken = true;
    boolean whole = false;
    try {
      for (int i = 0; i < names.size(); i++) {
        String name = names.get(i);
        String what = "descriptor " + name + " from systemd";
        OwnedDescriptor descriptor = OwnedDescriptor.adopt(ledger, first + i, what);
        OwnedDescriptor earlier = all.putIfAbsent(name, descriptor);
        if (earlier != null) {
          descriptor.close();
        }
      }
      whole = true;
      return all;
    } finally {
      if (!whole) {
        all.values().forEach(OwnedDescriptor::close);
      }
    }
  }
}
