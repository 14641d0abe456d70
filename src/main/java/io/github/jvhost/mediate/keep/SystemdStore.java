package io.github.jvhost.mediate.keep;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.DatagramTarget;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Descriptors at systemd, by the protocol of sd_notify(3). The next process finds them among its
 * {@link HandedDescriptors}.
 *
 * <pre>
 *   to NOTIFY_SOCKET, one datagram each
 *     FDSTORE=1 \n FDNAME=name \n FDPOLL=0     with one descriptor (SCM_RIGHTS)
 *     FDSTOREREMOVE=1 \n FDNAME=name
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
 */
public final class SystemdStore implements DescriptorStore {
  private final DatagramTarget systemd;
  private final Duration patience;

  /** How many descriptors systemd takes, if it has said so. */
  private final OptionalInt room;

  private final HandedDescriptors handed;

  /** The names that systemd holds, as far as we know. Guarded by this. */
  private final Set<String> names = new HashSet<>();

  private SystemdStore(
      DatagramTarget systemd, Duration patience, OptionalInt room, HandedDescriptors handed) {
    this.systemd = systemd;
    this.patience = patience;
    this.room = room;
    this.handed = handed;
  }

  /**
   * Finds systemd.
   *
   * @param environment of this process, {@link System#getenv()}
   * @param handed what systemd has handed to this process
   * @param patience the most time for every call
   * @return the store, which the caller closes; empty if no service manager wants to be notified
   * @throws VhostException (GIVE_UP) if the environment is not as systemd would make it
   */
  public static Optional<SystemdStore> of(
      Map<String, String> environment, HandedDescriptors handed, Duration patience) {
    String address = environment.getOrDefault("NOTIFY_SOCKET", "");
    if (address.isEmpty()) {
      return Optional.empty();
    }
    OptionalInt room =
        environment.containsKey("FDSTORE")
            ? OptionalInt.of(HandedDescriptors.number(environment, "FDSTORE", Integer.MAX_VALUE))
            : OptionalInt.empty();
    var systemd = DatagramTarget.of(address, "systemd at NOTIFY_SOCKET " + address);
    return Optional.of(new SystemdStore(systemd, patience, room, handed));
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

  @Override
  public synchronized Map<String, OwnedDescriptor> takeUp() {
    Map<String, OwnedDescriptor> all = handed.takeUp();
    names.addAll(all.keySet());
    return all;
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
