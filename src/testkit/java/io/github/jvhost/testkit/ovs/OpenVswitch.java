package io.github.jvhost.testkit.ovs;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * A running Open vSwitch with DPDK: one bridge that learns addresses, with one port per device. It
 * connects to the devices' sockets, tries again every second while no front end listens, and
 * reconnects when a connection ends.
 *
 * <p>The switch runs until this object is closed, and ends with the JVM. Used by one thread.
 */
public final class OpenVswitch implements AutoCloseable {
  private static final String NAME = "Open vSwitch";
  private static final Path SCHEMA = Path.of("/usr/share/openvswitch/vswitch.ovsschema");

  /** Debian's directory for the variant with DPDK. */
  private static final Path DEBIAN = Path.of("/usr/lib/openvswitch-switch-dpdk");

  private static final String SWITCH = "ovs-vswitchd-dpdk";
  private static final String BRIDGE = "br";

  /** The interval at which start-up looks for the database's socket, since no event reports it. */
  private static final long LOOK_MILLIS = 5;

  private final Path directory;
  private final List<Path> sockets;
  private final Map<String, String> environment;
  private final List<ChildProcess> processes = new ArrayList<>();

  private OpenVswitch(Path directory, List<Path> sockets) {
    this.directory = directory;
    this.sockets = sockets;
    String at = directory.toString();
    this.environment =
        Map.of(
            "OVS_RUNDIR",
            at,
            "OVS_LOGDIR",
            at,
            "OVS_DBDIR",
            at,
            "OVS_SYSCONFDIR",
            at,
            "RUNTIME_DIRECTORY",
            at); // DPDK's
  }

  /**
   * Checks whether the switch can run on this machine.
   *
   * @return empty if it can; else the reason, as a sentence for the message of a skipped test
   */
  public static Optional<String> available() {
    for (String program : List.of("ovsdb-server", "ovsdb-tool", "ovs-vsctl", SWITCH, "unshare")) {
      if (ChildProcess.find(program, DEBIAN).isEmpty()) {
        return Optional.of(program + " is not installed (Debian: openvswitch-switch-dpdk)");
      }
    }
    if (!Files.isReadable(SCHEMA)) {
      return Optional.of(SCHEMA + " is missing (Debian: openvswitch-common)");
    }
    if (Runtime.getRuntime().availableProcessors() < 2) {
      return Optional.of(NAME + " with DPDK needs two processor cores");
    }
    try {
      if (!Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"))) {
        return Optional.of(NAME + " needs root's rights");
      }
    } catch (IOException e) {
      return Optional.of("there is no /proc: " + e.getMessage());
    }
    return Optional.empty();
  }

  /** {@return a new description of what to run: no port yet} */
  public static Builder builder() {
    return new Builder();
  }

  /** Describes the switch to run. Not thread-safe. */
  public static final class Builder {
    private final List<Path> sockets = new ArrayList<>();
    private int queuePairs = 1;

    private Builder() {}

    /**
     * Adds a port; ports are numbered from 0 in the order of these calls.
     *
     * @param listening the path at which the front end listens or will listen; at most 107 bytes
     *     and no quotation mark
     * @return this
     */
    public Builder port(Path listening) {
      String path = listening.toAbsolutePath().toString();
      if (path.getBytes(StandardCharsets.UTF_8).length > 107 || path.indexOf('"') >= 0) {
        throw new IllegalArgumentException(
            "a socket's path has at most 107 bytes and no quotation mark: " + path);
      }
      sockets.add(listening.toAbsolutePath());
      return this;
    }

    /**
     * Sets how many receive queues of every port the switch polls from the start. The default is
     * one.
     *
     * @param pairs 1 to 128
     * @return this
     */
    public Builder queuePairs(int pairs) {
      if (pairs < 1 || pairs > 128) {
        throw new IllegalArgumentException("queue pairs are 1 to 128, not " + pairs);
      }
      queuePairs = pairs;
      return this;
    }

    /**
     * Starts the switch and waits until its ports exist.
     *
     * @param deadline for all of it; usually it takes a second
     * @return the running switch; the caller closes it
     * @throws VhostException when it cannot be started or is not ready in time; its processes and
     *     files are then removed
     */
    public OpenVswitch start(Deadline deadline) {
      Optional<String> reason = available();
      if (reason.isPresent()) {
        throw new VhostException("starting " + NAME + ": " + reason.get(), Recovery.GIVE_UP);
      }
      Path directory;
      try {
        directory = Files.createTempDirectory("jvhost-ovs");
      } catch (IOException e) {
        throw new VhostException("starting " + NAME + ": " + e.getMessage(), Recovery.GIVE_UP, e);
      }
      var ovs = new OpenVswitch(directory, List.copyOf(sockets));
      try {
        ovs.startDatabase(deadline);
        ovs.startSwitch(queuePairs, deadline);
      } catch (RuntimeException e) {
        ovs.close();
        throw e;
      }
      return ovs;
    }
  }

  private void startDatabase(Deadline deadline) {
    Path database = directory.resolve("conf.db");
    run(deadline, "ovsdb-tool", "create", database.toString(), SCHEMA.toString());
    Path socket = directory.resolve("db.sock");
    ChildProcess server =
        leashed(
            List.of(
                "ovsdb-server",
                database.toString(),
                "--remote=punix:" + socket,
                "--unixctl=" + directory.resolve("db.ctl")));
    while (!Files.exists(socket)) {
      boolean ended = server.awaitExit(Deadline.in(LOOK_MILLIS, TimeUnit.MILLISECONDS));
      if (ended || deadline.expired() || Thread.currentThread().isInterrupted()) {
        throw new VhostException(
            "starting ovsdb-server: no socket; " + server.lastLines(), Recovery.GIVE_UP);
      }
    }
  }

  /**
   * {@code --no-huge} needs DPDK's old memory layout. {@code --legacy-mem} has to name it, or the
   * switch adds an option that contradicts it. Memory that all ports share would take 800 MB;
   * memory per port takes 60 MB. Both masks are needed, or the poller uses all processors. The
   * poller sleeps while the rings are empty.
   */
  private void startSwitch(int queuePairs, Deadline deadline) {
    configure(deadline, "--no-wait", "init");
    configure(
        deadline,
        "--no-wait",
        "set",
        "Open_vSwitch",
        ".",
        "other_config:dpdk-init=true",
        "other_config:dpdk-extra=\"--no-huge --legacy-mem --no-shconf --no-telemetry -m 512"
            + " --no-pci --file-prefix=ovs\"",
        "other_config:per-port-memory=true",
        "other_config:dpdk-lcore-mask=0x1",
        "other_config:pmd-cpu-mask=0x2",
        "other_config:pmd-maxsleep=50");
    String program = ChildProcess.find(SWITCH, DEBIAN).orElseThrow().toString();
    leashed(
        List.of(
            "unshare",
            "--net",
            program,
            "unix:" + directory.resolve("db.sock"),
            "--unixctl=" + directory.resolve("switch.ctl")));
    var plan = new ArrayList<>(List.of("add-br", BRIDGE));
    plan.addAll(List.of("--", "set", "bridge", BRIDGE, "datapath_type=netdev"));
    for (int i = 0; i < sockets.size(); i++) {
      plan.addAll(List.of("--", "add-port", BRIDGE, portName(i)));
      plan.addAll(List.of("--", "set", "interface", portName(i), "type=dpdkvhostuserclient"));
      plan.add("options:vhost-server-path=\"" + sockets.get(i) + "\"");
      plan.add("options:n_rxq=" + queuePairs);
    }
    configure(deadline, plan.toArray(String[]::new));
    for (int i = 0; i < sockets.size(); i++) {
      String error = configure(deadline, "get", "interface", portName(i), "error").strip();
      if (!error.equals("[]")) {
        throw new VhostException(
            "starting %s: port %d: %s; %s".formatted(NAME, i, error, lastLines()),
            Recovery.GIVE_UP);
      }
    }
  }

  private static String portName(int port) {
    return "port" + port;
  }

  /**
   * Runs a command on the database, and waits until the switch has applied it unless {@code
   * --no-wait} is given.
   */
  private String configure(Deadline deadline, String... what) {
    var command = new ArrayList<>(List.of("ovs-vsctl", "--db=unix:" + directory + "/db.sock"));
    command.addAll(List.of(what));
    return run(deadline, command.toArray(String[]::new));
  }

  /** Runs a program and waits for its end. */
  private String run(Deadline deadline, String... command) {
    try (var process = ChildProcess.leashed(command[0], List.of(command), environment)) {
      if (!process.awaitExit(deadline)) {
        throw new VhostException(
            "starting %s: %s did not end within %s; %s"
                .formatted(NAME, String.join(" ", command), deadline.allowed(), lastLines()),
            Recovery.GIVE_UP);
      }
      process.awaitOutput();
      if (process.exitValue() != 0) {
        throw new VhostException(
            "starting %s: %s: %s".formatted(NAME, String.join(" ", command), process.lastLines()),
            Recovery.GIVE_UP);
      }
      return process.transcript().text();
    }
  }

  private ChildProcess leashed(List<String> command) {
    ChildProcess process = ChildProcess.leashed(command.getFirst(), command, environment);
    processes.add(process);
    return process;
  }

  /** {@return how many ports there are} */
  public int ports() {
    return sockets.size();
  }

  /**
   * {@return the path of the socket to which a port connects, absolute}
   *
   * @param port its number, from 0
   */
  public Path socket(int port) {
    return sockets.get(port);
  }

  /**
   * {@return the last half a million characters that the switch has printed, the messages of its
   * vhost library included}
   */
  public String output() {
    return processes.isEmpty() ? "" : processes.getLast().transcript().text();
  }

  private String lastLines() {
    return processes.isEmpty() ? "nothing was started" : processes.getLast().lastLines();
  }

  /**
   * {@return how many frames a port has received from its device and sent to it, as the switch
   * counts them}
   *
   * @param port its number, from 0
   * @param deadline for the answer
   * @throws VhostException when the switch does not answer in time
   */
  public Frames frames(int port, Deadline deadline) {
    String shown =
        run(
            deadline,
            "ovs-appctl",
            "-t",
            directory.resolve("switch.ctl").toString(),
            "dpctl/show",
            "-s");
    return Frames.parse(shown, portName(port));
  }

  /** Ends the switch, then its database, and removes their directory. Idempotent. */
  @Override
  public void close() {
    for (ChildProcess process : processes.reversed()) {
      process.close();
    }
    if (!Files.exists(directory)) {
      return;
    }
    try (var files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      // Files that stay in the directory for temporary files are no reason to fail a test.
    }
  }
}
