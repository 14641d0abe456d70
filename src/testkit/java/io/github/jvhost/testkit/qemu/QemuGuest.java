package io.github.jvhost.testkit.qemu;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiPredicate;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A running QEMU with {@link LinuxGuest}, which pings through each of its network devices and
 * counts the answers. It can be migrated to another one, which waits for it.
 *
 * <pre>
 *    +----------- guest -----------+
 *    | eth0: ping 10.0.0.2         |====== QEMU == AF_UNIX socket 0 ==&gt;  back end, relay, mediator
 *    | eth1: ping 10.0.1.2         |======  "   == AF_UNIX socket 1 ==&gt;  back end, relay, mediator
 *    |                             |
 *    | "nic 0 sent 41 answered 41" |------  "   --&gt; its standard output
 *    +-----------------------------+
 * </pre>
 *
 * <p>The counts are variables in the guest: they survive a migration, and what is lost on the way
 * is missing in them. Used by one thread at a time.
 */
public final class QemuGuest implements AutoCloseable {
  // "guest: nic 0 sent 41 answered 41." ten times a second.
  private static final Pattern COUNT =
      Pattern.compile("guest: nic (\\d) sent (\\d{1,15}) answered (\\d{1,15})\\.\n");

  /**
   * Without interrupt vectors: QEMU 7.2's emulation crashes when a guest uses them with vhost-user.
   * The boot ROM would take time only.
   */
  private static final String DEVICE_OPTIONS = "romfile=,vectors=0";

  private static final int MEBIBYTES = 256;

  private final QemuSystem qemu;
  private final Path migration;
  private final int nics;

  private QemuGuest(QemuSystem qemu, Path migration, int nics) {
    this.qemu = qemu;
    this.migration = migration;
    this.nics = nics;
  }

  /**
   * {@return a new description of what to run: 256 MiB, in a memfd, no network device yet; QEMU
   * connects to its back ends}
   *
   * @param linux what it boots
   * @param directory for its sockets; it exists, and its path is short and has no comma
   * @param name begins the names of the sockets
   */
  public static Builder builder(LinuxGuest linux, Path directory, String name) {
    return new Builder(linux, directory, name);
  }

  /** Describes the machine to run. Not thread-safe. */
  public static final class Builder {
    private final LinuxGuest linux;
    private final Path directory;
    private final String name;
    private final List<Path> backEnds = new ArrayList<>();
    private int mebibytes = MEBIBYTES;
    private UnaryOperator<QemuSystem.Builder> more = builder -> builder;

    private Builder(LinuxGuest linux, Path directory, String name) {
      this.linux = linux;
      this.directory = directory;
      this.name = name;
    }

    /**
     * Adds a network device.
     *
     * @param backEnd the socket of its back end, or of whoever stands in front of it
     * @return this
     */
    public Builder nic(Path backEnd) {
      backEnds.add(backEnd);
      return this;
    }

    /**
     * Sets how much RAM the guest has. The default is 256 MiB.
     *
     * @param size in MiB, at least 128
     * @return this
     */
    public Builder mebibytes(int size) {
      mebibytes = size;
      return this;
    }

    /**
     * Sets more of the machine: {@link QemuSystem.Builder#listening}, {@link
     * QemuSystem.Builder#memoryFile}.
     *
     * @param options is called with the machine's description, and returns it
     * @return this
     */
    public Builder machine(UnaryOperator<QemuSystem.Builder> options) {
      more = options;
      return this;
    }

    /**
     * Starts QEMU, which boots the guest. Returns when QEMU's monitor answers; the guest needs some
     * seconds more.
     *
     * @param deadline for QEMU's start
     * @return the running machine; the caller closes it
     * @throws VhostException when it cannot be started or is not ready in time
     */
    public QemuGuest boot(Deadline deadline) {
      return start(builder -> builder, deadline);
    }

    /**
     * Starts QEMU, which waits for a guest to migrate here.
     *
     * @param deadline for QEMU's start
     * @return the waiting machine; the caller closes it
     * @throws VhostException when it cannot be started or is not ready in time
     */
    public QemuGuest await(Deadline deadline) {
      return start(QemuSystem.Builder::incoming, deadline);
    }

    private QemuGuest start(UnaryOperator<QemuSystem.Builder> how, Deadline deadline) {
      if (backEnds.isEmpty()) {
        throw new IllegalStateException("at least one network device is needed");
      }
      QemuSystem.Builder builder =
          QemuSystem.builder(backEnds.getFirst(), directory.resolve(name + ".monitor"))
              .mebibytes(mebibytes)
              .deviceOptions(DEVICE_OPTIONS)
              .linux(linux)
              .runsByItself();
      backEnds.stream().skip(1).forEach(builder::nic);
      return new QemuGuest(
          how.apply(more.apply(builder)).start(deadline),
          directory.resolve(name + ".migration"),
          backEnds.size());
    }
  }

  /** {@return the machine, for its monitor} */
  public QemuSystem qemu() {
    return qemu;
  }

  /**
   * Migrates the guest. Returns when it runs at the destination.
   *
   * @param destination made by {@link Builder#await}, with as many devices and as much RAM
   * @param deadline for all of it; it takes one to five seconds
   * @throws VhostException when that failed
   */
  public void migrateTo(QemuGuest destination, Deadline deadline) {
    beginMigrationTo(destination, deadline);
    qemu.awaitMigrated(deadline);
    destination.qemu.awaitMigrated(deadline);
  }

  /**
   * Begins a migration, which then goes on by itself. {@link QemuSystem#awaitMigrated} of {@link
   * #qemu} waits for its end on either side.
   *
   * @param destination as for {@link #migrateTo}
   * @param deadline for the monitors' answers
   * @throws VhostException when one of them refused
   */
  public void beginMigrationTo(QemuGuest destination, Deadline deadline) {
    qemu.beginMigration(destination.qemu, destination.migration, deadline);
  }

  /**
   * Waits until pings were answered through every device. Only what the guest counted on this
   * machine after this call matters, so it also shows that the guest runs here.
   *
   * @param answers how many at each device
   * @param deadline when to give up
   * @return the counts of each device, since the guest booted
   * @throws VhostException when the guest failed, or the deadline has passed; with the end of the
   *     console
   */
  public List<PingCount> awaitAnswers(int answers, Deadline deadline) {
    return await((first, now) -> now.answered() >= first.answered() + answers, deadline);
  }

  /**
   * Waits for a moment, at each device, when no more pings are unanswered than some that were lost
   * before.
   *
   * @param lost how many at each device may be unanswered
   * @param deadline when to give up
   * @return the counts of each device, since the guest booted
   * @throws VhostException when that does not come before the deadline, since more were lost; or
   *     the guest failed; with the end of the console
   */
  public List<PingCount> awaitUnanswered(long lost, Deadline deadline) {
    return await((_, now) -> now.unanswered() <= lost, deadline);
  }

  private List<PingCount> await(BiPredicate<PingCount, PingCount> done, Deadline deadline) {
    var counts = new ArrayList<PingCount>();
    long from = qemu.transcript().position();
    for (int nic = 0; nic < nics; nic++) {
      var console = new Console(nic, from, deadline);
      PingCount first = console.next();
      PingCount now = first;
      while (!done.test(first, now)) {
        now = console.next();
      }
      counts.add(now);
    }
    return counts;
  }

  /** Reads the counts of one device. */
  private final class Console {
    private final String start;
    private final Deadline deadline;
    private long position;

    Console(int nic, long position, Deadline deadline) {
      this.start = "guest: nic " + nic + " sent ";
      this.position = position;
      this.deadline = deadline;
    }

    PingCount next() {
      while (true) {
        position += upTo(start).length();
        String line = upTo("\n") + "\n";
        position += line.length();
        Matcher count = COUNT.matcher(line);
        if (count.matches()) {
          return countOf(count);
        }
      }
    }

    private String upTo(String text) {
      return qemu.transcript().awaitText(text, position, deadline, "waiting for answered pings");
    }
  }

  private static PingCount countOf(Matcher count) {
    return new PingCount(
        Integer.parseInt(count.group(1)),
        Long.parseLong(count.group(2)),
        Long.parseLong(count.group(3)));
  }

  /** {@return everything that QEMU and the guest's console have printed so far} */
  public String output() {
    return qemu.output();
  }

  /** Ends QEMU and removes its sockets. Idempotent. */
  @Override
  public void close() {
    qemu.close();
    try {
      Files.deleteIfExists(migration); // QEMU leaves it when a migration was cancelled
    } catch (IOException e) {
      // The file stays in the caller's directory.
    }
  }
}
