package io.github.jvhost.testkit.qemu;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
import io.github.jvhost.testkit.process.Transcript;
import io.github.jvhost.virtio.MacAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A real {@code qemu-system-x86_64} that writes and reads migration streams. Its guest does not run
 * until {@link #run}, unless {@link Builder#runsByItself} says so. Its network devices are
 * virtio-net-pci over vhost-user, each with a back end at a socket of its own.
 *
 * <p>It does not use KVM, so that it runs on any machine. It runs until this object is closed, and
 * ends with the JVM. Used by one thread at a time.
 */
public final class QemuSystem implements AutoCloseable {
  private static final String PROGRAM = "qemu-system-x86_64";

  /** The qdev id of the first network device. The next ones are net1, net2 and so on. */
  public static final String DEVICE = "net0";

  /** The id of the block of memory that is the guest's RAM. */
  public static final String RAM = "ram0";

  /**
   * The interval at which the monitor's socket and a migration's state are polled, since no event
   * reports them.
   */
  private static final long LOOK_MILLIS = 5;

  private static final int FIRST_SLOT = 3;
  private static final int MOST_NICS = 8;

  private final Path monitor;
  private final ChildProcess process;
  private final QmpClient qmp;

  private QemuSystem(Path monitor, ChildProcess process, QmpClient qmp) {
    this.monitor = monitor;
    this.process = process;
    this.qmp = qmp;
  }

  /**
   * Checks whether QEMU can run on this machine.
   *
   * @return empty if it can; else the reason, as a sentence for the message of a skipped test
   */
  public static Optional<String> available() {
    return ChildProcess.find(PROGRAM).isPresent()
        ? Optional.empty()
        : Optional.of(PROGRAM + " is not installed (Debian: qemu-system-x86)");
  }

  /**
   * {@return a new description of what to run: a q35 machine with 32 MiB and a transitional device
   * of one queue pair}
   *
   * @param backEnd the socket at which a vhost-user back end listens; its path has no comma
   * @param monitor the path at which QEMU's monitor will listen; it has no comma, and the file must
   *     not exist
   */
  public static Builder builder(Path backEnd, Path monitor) {
    return new Builder(backEnd.toAbsolutePath(), monitor.toAbsolutePath());
  }

  /** Describes the machine to run. Not thread-safe. */
  public static final class Builder {
    private final List<Path> backEnds = new ArrayList<>();
    private final Path monitor;
    private String machine = "q35";
    private int mebibytes = 32;
    private int queuePairs = 1;
    private MacAddress mac = MacAddress.parse("52:54:00:12:34:56");
    private String deviceOptions = "";
    private @Nullable Path firmware;
    private @Nullable LinuxGuest linux;
    private @Nullable Path memoryFile;
    private boolean listening;
    private boolean incoming;
    private boolean unusedMemory;
    private boolean runsByItself;

    private Builder(Path backEnd, Path monitor) {
      requireNoComma(monitor);
      this.monitor = monitor;
      nic(backEnd);
    }

    /**
     * Adds another network device. It has the same options as the first, and the next MAC address.
     *
     * @param backEnd the socket of its back end; its path has no comma
     * @return this
     */
    public Builder nic(Path backEnd) {
      requireNoComma(backEnd);
      if (backEnds.size() == MOST_NICS) {
        throw new IllegalArgumentException("there are at most " + MOST_NICS + " network devices");
      }
      backEnds.add(backEnd.toAbsolutePath());
      return this;
    }

    /**
     * Makes QEMU listen at the sockets of the back ends, which then connect. {@link #start} waits
     * until all have. By default the back ends listen.
     *
     * @return this
     */
    public Builder listening() {
      listening = true;
      return this;
    }

    /**
     * Makes the guest's RAM a mapping of a file. By default it is a memfd.
     *
     * @param file is created if it does not exist, and stays; its path has no comma
     * @return this
     */
    public Builder memoryFile(Path file) {
      requireNoComma(file);
      memoryFile = file.toAbsolutePath();
      return this;
    }

    /**
     * Adds a memfd of the size of the guest's RAM that the guest does not use. QEMU opens it before
     * the RAM, so whoever looks for the RAM by its size finds it first.
     *
     * @return this
     */
    public Builder unusedMemory() {
      unusedMemory = true;
      return this;
    }

    /**
     * Boots Linux. What it prints on its console is part of {@link QemuSystem#output}. QEMU ends
     * when the guest's kernel panics.
     *
     * @param guest the kernel and its first files
     * @return this
     */
    public Builder linux(LinuxGuest guest) {
      linux = guest;
      return this;
    }

    /**
     * Makes the guest run at once, or as soon as a migration has arrived if it is {@link
     * #incoming}.
     *
     * @return this
     */
    public Builder runsByItself() {
      runsByItself = true;
      return this;
    }

    /**
     * Sets the type of machine. The default is "q35".
     *
     * @param type as on QEMU's command line: "q35", "pc"
     * @return this
     */
    public Builder machine(String type) {
      machine = type;
      return this;
    }

    /**
     * Sets how much RAM the guest has. The default is 32 MiB.
     *
     * @param size in MiB
     * @return this
     */
    public Builder mebibytes(int size) {
      mebibytes = size;
      return this;
    }

    /**
     * Sets how many queue pairs the device has. The default is one.
     *
     * @param count 1 to 8
     * @return this
     */
    public Builder queuePairs(int count) {
      if (count < 1 || count > 8) {
        throw new IllegalArgumentException("queue pairs are 1 to 8, not " + count);
      }
      queuePairs = count;
      return this;
    }

    /**
     * Sets the first device's MAC address. The default is 52:54:00:12:34:56.
     *
     * @param address with colons
     * @return this
     */
    public Builder mac(String address) {
      mac = MacAddress.parse(address);
      return this;
    }

    /**
     * Sets more options of the device. By default there are none.
     *
     * @param options as on QEMU's command line: "packed=on,disable-legacy=on"
     * @return this
     */
    public Builder deviceOptions(String options) {
      deviceOptions = options;
      return this;
    }

    /** Rejects commas, which separate QEMU's options. */
    private static void requireNoComma(Path path) {
      if (path.toString().indexOf(',') >= 0) {
        throw new IllegalArgumentException("a path here has no comma: " + path);
      }
    }

    /**
     * Replaces QEMU's firmware, which would reset the machine's devices when it runs. A machine
     * that waits for a stream needs the same image as the machine that wrote the stream.
     *
     * @param image a file of a multiple of 64 KiB, which is mapped to end at 4 GiB
     * @return this
     */
    public Builder firmware(Path image) {
      firmware = image.toAbsolutePath();
      return this;
    }

    /**
     * Makes it wait for the stream of {@link QemuSystem#migrateFrom}.
     *
     * @return this
     */
    public Builder incoming() {
      incoming = true;
      return this;
    }

    /**
     * Starts QEMU and waits until its monitor answers.
     *
     * @param deadline for all of it; usually it takes half a second
     * @return the running process; the caller closes it
     * @throws VhostException when it cannot be started or is not ready in time; the process and its
     *     files are then removed
     */
    public QemuSystem start(Deadline deadline) {
      Optional<String> reason = available();
      if (reason.isPresent()) {
        throw new VhostException("starting " + PROGRAM + ": " + reason.get(), Recovery.GIVE_UP);
      }
      if (Files.exists(monitor)) {
        throw new VhostException(
            "starting " + PROGRAM + ": " + monitor + " exists already", Recovery.GIVE_UP);
      }
      ChildProcess process = ChildProcess.leashed(PROGRAM, command(), Map.of());
      try {
        awaitMonitor(process, deadline);
        return new QemuSystem(monitor, process, QmpClient.connect(monitor, deadline));
      } catch (RuntimeException e) {
        process.close();
        delete(monitor);
        throw e;
      }
    }

    private List<String> command() {
      var command =
          new ArrayList<>(List.of(PROGRAM, "-nodefaults", "-no-user-config", "-display", "none"));
      if (!runsByItself) {
        command.add("-S");
      }
      command.addAll(List.of("-accel", "tcg", "-m", mebibytes + "M"));
      command.addAll(List.of("-machine", machine + ",memory-backend=" + RAM));
      if (unusedMemory) {
        command.addAll(
            List.of(
                "-object",
                "memory-backend-memfd,id=unused,size=%dM,share=on".formatted(mebibytes)));
      }
      String kind = memoryFile == null ? "memfd" : "file,mem-path=" + memoryFile;
      command.addAll(
          List.of(
              "-object",
              "memory-backend-%s,id=%s,size=%dM,share=on".formatted(kind, RAM, mebibytes)));
      for (int nic = 0; nic < backEnds.size(); nic++) {
        command.addAll(nicOptions(nic));
      }
      if (firmware != null) {
        command.addAll(List.of("-bios", firmware.toString()));
      }
      if (linux != null) {
        command.addAll(List.of("-kernel", linux.kernel().toString()));
        command.addAll(List.of("-initrd", linux.initramfs().toString()));
        command.addAll(List.of("-append", LinuxGuest.KERNEL_OPTIONS, "-no-reboot"));
        command.addAll(List.of("-chardev", "stdio,id=console,signal=off"));
        command.addAll(List.of("-serial", "chardev:console"));
      }
      if (incoming) {
        command.addAll(List.of("-incoming", "defer"));
      }
      // The monitor listens only when everything above is set up.
      command.addAll(List.of("-qmp", "unix:" + monitor + ",server=on,wait=off"));
      return command;
    }

    private List<String> nicOptions(int nic) {
      String multiqueue = queuePairs == 1 ? "" : ",mq=on,vectors=" + (2 * queuePairs + 2);
      String options = deviceOptions.isEmpty() ? "" : "," + deviceOptions;
      return List.of(
          "-chardev",
          "socket,id=backend%d,path=%s%s"
              .formatted(nic, backEnds.get(nic), listening ? ",server=on" : ""),
          "-netdev",
          "vhost-user,id=peer%d,chardev=backend%d,queues=%d".formatted(nic, nic, queuePairs),
          "-device",
          "virtio-net-pci,id=net%d,netdev=peer%d,addr=%d,mac=%s%s%s"
              .formatted(
                  nic,
                  nic,
                  FIRST_SLOT + nic,
                  new MacAddress(mac.value() + nic),
                  multiqueue,
                  options));
    }

    private void awaitMonitor(ChildProcess process, Deadline deadline) {
      while (!Files.exists(monitor)) {
        if (process.awaitExit(Deadline.in(LOOK_MILLIS, TimeUnit.MILLISECONDS))) {
          throw failed("starting", "the process ended", process);
        }
        if (deadline.expired() || Thread.currentThread().isInterrupted()) {
          throw failed("starting", "it is not ready after " + deadline.allowed(), process);
        }
      }
    }
  }

  /**
   * Starts the guest. Returns when its devices are started.
   *
   * @param deadline for the monitor's answer
   * @throws VhostException when it cannot
   */
  public void run(Deadline deadline) {
    qmp.execute("cont", Map.of(), deadline);
  }

  /**
   * Stops the guest. Returns when its devices are stopped.
   *
   * @param deadline for the monitor's answer
   * @throws VhostException when it cannot
   */
  public void pause(Deadline deadline) {
    qmp.execute("stop", Map.of(), deadline);
  }

  private static VhostException failed(String what, String why, ChildProcess process) {
    return new VhostException(
        "%s %s: %s; %s".formatted(what, PROGRAM, why, process.lastLines()), Recovery.GIVE_UP);
  }

  /** What it prints: its own messages, and the console of a guest with Linux. */
  Transcript transcript() {
    return process.transcript();
  }

  /**
   * Executes a command in the monitor.
   *
   * @param command its name
   * @param arguments strings, numbers, booleans, and lists and maps of them
   * @param deadline for the answer
   * @return the answer: a map, a list, a string, a number or a boolean
   * @throws VhostException when the monitor refused it, with QEMU's own message, or did not answer
   */
  public Object execute(String command, Map<String, ?> arguments, Deadline deadline) {
    return qmp.execute(command, arguments, deadline);
  }

  /** {@return the process's id} */
  public long processId() {
    return process.pid();
  }

  /**
   * {@return the end of everything that it has printed so far, at most half a million characters}
   */
  public String output() {
    return process.transcript().text();
  }

  /**
   * Writes a migration stream.
   *
   * @param file created or replaced
   * @param deadline for all of it
   * @throws VhostException when that failed, with QEMU's own message
   */
  public void migrateTo(Path file, Deadline deadline) {
    migrate("migrate", "exec:cat > " + quoted(file), deadline);
  }

  /**
   * Reads a migration stream. Needs {@link Builder#incoming}, and can be called once.
   *
   * @param file the stream from {@link #migrateTo} or another QEMU
   * @param deadline for all of it
   * @throws VhostException when QEMU did not accept it, with QEMU's own message
   */
  public void migrateFrom(Path file, Deadline deadline) {
    migrate("migrate-incoming", "exec:cat " + quoted(file), deadline);
  }

  /**
   * Begins a migration to another machine. It goes on after this has returned.
   *
   * @param destination a machine with the same devices, built with {@link Builder#incoming}, that
   *     has waited for nothing so far
   * @param socket the path of the AF_UNIX socket for the stream; the file must not exist, QEMU
   *     makes it, and removes it in the end
   * @param deadline for the monitors' answers
   * @throws VhostException when either of them refused
   */
  public void beginMigration(QemuSystem destination, Path socket, Deadline deadline) {
    var uri = Map.of("uri", "unix:" + socket.toAbsolutePath());
    destination.qmp.execute("migrate-incoming", uri, deadline);
    qmp.execute("migrate", uri, deadline);
  }

  /**
   * Waits until a migration that {@link #beginMigration} began is completed on this machine's side.
   *
   * @param deadline when to give up
   * @throws VhostException when it failed or was cancelled, or the deadline has passed
   */
  public void awaitMigrated(Deadline deadline) {
    orEnded("migration", () -> awaitCompleted("migration", deadline));
  }

  private static String quoted(Path file) {
    return "'" + file.toAbsolutePath().toString().replace("'", "'\\''") + "'";
  }

  private void migrate(String command, String uri, Deadline deadline) {
    orEnded(
        command,
        () -> {
          qmp.execute(command, Map.of("uri", uri), deadline);
          awaitCompleted(command, deadline);
        });
  }

  private void awaitCompleted(String what, Deadline deadline) {
    while (true) {
      Object answer = qmp.execute("query-migrate", Map.of(), deadline);
      Object status = answer instanceof Map<?, ?> fields ? fields.get("status") : null;
      if ("completed".equals(status)) {
        return;
      }
      if ("failed".equals(status) || "cancelled".equals(status)) {
        throw failed(what, "QEMU says that it is " + status, process);
      }
      // QEMU exits if an incoming stream is invalid.
      if (process.awaitExit(Deadline.in(LOOK_MILLIS, TimeUnit.MILLISECONDS))) {
        throw failed(what, "the process ended", process);
      }
      if (deadline.expired()) {
        throw failed(what, "it takes longer than " + deadline.allowed(), process);
      }
    }
  }

  /** Does something; where that failed because the process ended, says what it printed. */
  private void orEnded(String what, Runnable action) {
    try {
      action.run();
    } catch (VhostException e) {
      if (process.awaitExit(Deadline.in(1, TimeUnit.SECONDS))) {
        throw failed(what, "the process ended", process);
      }
      throw e;
    }
  }

  /** Ends the process and removes its monitor's socket. Idempotent. */
  @Override
  public void close() {
    try {
      qmp.close();
    } finally {
      process.close();
      delete(monitor);
    }
  }

  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      // The file stays in the caller's directory.
    }
  }
}
