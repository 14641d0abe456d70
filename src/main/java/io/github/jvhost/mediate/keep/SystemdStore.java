package io.github.jvhost.mediate.keep;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.DatagramTarget;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Descriptors at systemd, by the protocols of sd_notify(3) and sd_listen_fds(3).
 *
 * <pre>
 *   to NOTIFY_SOCKET, one datagram each          from the environment, at our start
 *     FDSTORE=1 \n FDNAME=name \n FDPOLL=0         LISTEN_PID=our process
 *       with one descriptor (SCM_RIGHTS)           LISTEN_FDS=n: descriptors 3 to 3 + n - 1
 *     FDSTOREREMOVE=1 \n FDNAME=name               LISTEN_FDNAMES=name:name:...
 *     READY=1, STATUS=text
 * </pre>
 *
 * <p>FDPOLL=0 makes systemd (246 or newer) keep a socket whose peer has gone. The unit needs {@code
 * FileDescriptorStoreMax=}, and {@code FileDescriptorStorePreserve=yes} (254 or newer) if
 * descriptors shall stay while the unit is stopped; without it they stay over a restart only.
 *
 * <p>systemd answers nothing. Without the first setting, or when there are too many, it drops a
 * descriptor without a word. systemd 254 and newer says in FDSTORE how many it takes; then a put
 * beyond that fails here.
 *
 * <p>Sockets that a unit hands over come with the names of the unit, among what is taken up.
 */
public final class SystemdStore implements DescriptorStore {
  /** SD_LISTEN_FDS_START: 0 to 2 are standard input, output and error. */
  private static final int FIRST = 3;

  /** More than systemd would give; a count beyond that is nonsense. */
  private static final int MOST = 4096;

  /** What systemd calls a descriptor that it has no name for. */
  private static final String UNNAMED = "unknown";

  private final DatagramTarget systemd;
  private final DescriptorLedger ledger;
  private final Duration patience;

  /** How many descriptors systemd takes, if it has said so. */
  private final OptionalInt room;

  /** Names of descriptors that were handed to this process, in the order of their numbers. */
  private final List<String> handed;

  private final int first;

  /** The names that systemd holds, as far as we know. Guarded by this. */
  private final Set<String> names = new HashSet<>();

  private boolean taken;

  private SystemdStore(
      DatagramTarget systemd,
      DescriptorLedger ledger,
      Duration patience,
      OptionalInt room,
      List<String> handed,
      int first) {
    this.systemd = systemd;
    this.ledger = ledger;
    this.patience = patience;
    this.room = room;
    this.handed = handed;
    this.first = first;
  }

  /**
   * Finds systemd.
   *
   * @param environment of this process, {@link System#getenv()}
   * @param ledger records what is taken up
   * @param patience the most time for every call
   * @return the store, which the caller closes; empty if no service manager has started us
   * @throws VhostException (GIVE_UP) if the environment is not as systemd would make it
   */
  public static Optional<SystemdStore> of(
      Map<String, String> environment, DescriptorLedger ledger, Duration patience) {
    return of(environment, ledger, patience, FIRST);
  }

  /** As the other, with another number of the first descriptor that was handed over. */
  static Optional<SystemdStore> of(
      Map<String, String> environment, DescriptorLedger ledger, Duration patience, int first) {
    String address = environment.getOrDefault("NOTIFY_SOCKET", "");
    if (address.isEmpty()) {
      return Optional.empty();
    }
    OptionalInt room =
        environment.containsKey("FDSTORE")
            ? OptionalInt.of(number(environment, "FDSTORE", Integer.MAX_VALUE))
            : OptionalInt.empty();
    var systemd = DatagramTarget.of(address, "systemd at NOTIFY_SOCKET " + address);
    return Optional.of(
        new SystemdStore(systemd, ledger, patience, room, handed(environment), first));
  }

  /** Names, one for each descriptor that was handed to this process. */
  private static List<String> handed(Map<String, String> environment) {
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

  private static int number(Map<String, String> environment, String variable, int most) {
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

  @Override
  public synchronized void put(String name, OwnedDescriptor descriptor) {
    StoredName.require(name);
    if (names.contains(name)) {
      remove(name); // systemd would hold both under one name
    }
    if (room.isPresent() && names.size() >= room.getAsInt()) {
      throw new VhostException(
          "storing %s at systemd: it takes %d; FileDescriptorStoreMax= of the unit sets how many"
              .formatted(name, room.getAsInt()),
          Recovery.GIVE_UP);
    }
    send("FDSTORE=1\nFDNAME=" + name + "\nFDPOLL=0\n", List.of(descriptor));
    names.add(name);
  }

  @Override
  public synchronized void remove(String name) {
    StoredName.require(name);
    send("FDSTOREREMOVE=1\nFDNAME=" + name + "\n", List.of());
    names.remove(name);
  }

  /**
   * Takes what systemd has handed to this process: sockets of the unit, and what an earlier process
   * has put. Where two have the same name, which systemd allows, the second one is closed. A second
   * call returns nothing.
   *
   * @return by name; the caller owns the descriptors and may change the map
   * @throws VhostException if one of them is not open; nothing stays open here then
   */
  @Override
  public synchronized Map<String, OwnedDescriptor> takeUp() {
    Map<String, OwnedDescriptor> all = new HashMap<>();
    if (taken) {
      return all;
    }
    taken = true;
    boolean whole = false;
    try {
      for (int i = 0; i < handed.size(); i++) {
        String name = handed.get(i);
        String what = "descriptor " + name + " from systemd";
        OwnedDescriptor descriptor = OwnedDescriptor.adopt(ledger, first + i, what);
        OwnedDescriptor earlier = all.putIfAbsent(name, descriptor);
        if (earlier != null) {
          descriptor.close();
        }
      }
      whole = true;
      names.addAll(all.keySet());
      return all;
    } finally {
      if (!whole) {
        all.values().forEach(OwnedDescriptor::close);
      }
    }
  }

  /**
   * Tells systemd that the service is ready, for a unit with {@code Type=notify}.
   *
   * @param status one line of what it does, shown by {@code systemctl status}
   * @throws VhostException if systemd does not take it
   */
  public void ready(String status) {
    send("READY=1\nSTATUS=" + status.replaceAll("\\p{Cntrl}", " ") + "\n", List.of());
  }

  private void send(String assignments, List<OwnedDescriptor> descriptors) {
    systemd.send(
        assignments.getBytes(StandardCharsets.UTF_8), descriptors, Deadline.after(patience));
  }

  /** Does nothing: there is no connection. */
  @Override
  public void requirePresent() {
    // It ends after us.
  }

  @Override
  public void close() {}
}
