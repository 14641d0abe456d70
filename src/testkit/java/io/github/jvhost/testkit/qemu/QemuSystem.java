package io.github.jvhost.testkit.qemu;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
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
 * A real {@code qemu-system-x86_64} whose guest does not run until it is told to: it makes
 * migration streams, and takes them. Its one network device is virtio-net-pci over vhost-user,
 * served by whoever listens at a socket.
 *
 * <p>Without KVM, so that it runs anywhere. It lives as long as this object is open, and does not
 * outlive the JVM. One thread at a time.
 */
public final class QemuSystem implements AutoCloseable {
  private static final String PROGRAM = "qemu-system-x86_64";

  /** The qdev id of the network device. */
  public static final String DEVICE = "net0";

  /** The id of the block of memory that is the guest's RAM. */
  public static final String RAM = "ram0";

  /** Nobody tells when the monitor's socket appears, or a migration ends: how often it is asked. */
  private static final long LOOK_MILLIS = 5;

  private final Path monitor;
  private final ChildProcess process;
  private final QmpClient qmp;

  private QemuSystem(Path monitor, ChildProcess process, QmpClient qmp) {
    this.monitor = monitor;
    this.process = process;
    this.qmp = qmp;
  }

  /**
   * Whether it can be run here.
   *
   * @return empty when it can; else the reason why not, as a sentence for the message of a skipped
   *     test
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
   * @param backEnd socket at which a vhost-user back end listens; its path has no comma
   * @param monitor where QEMU's monitor is to listen: a path without comma at which nothing is yet
   */
  public static Builder builder(Path backEnd, Path monitor) {
    return new Builder(backEnd.toAbsolutePath(), monitor.toAbsolutePath());
  }

  /** What to run. Not thread-safe. */
  public static final class Builder {
    private final Path backEnd;
    private final Path monitor;
    private String machine = "q35";
    private int mebibytes = 32;
    private int queuePairs = 1;
    private String mac = "52:54:00:12:34:56";
    private String deviceOptions = "";
    private @Nullable Path firmware;
    private boolean incoming;

    private Builder(Path backEnd, Path monitor) {
      requireNoComma(backEnd);
      requireNoComma(monitor);
      this.backEnd = backEnd;
      this.monitor = monitor;
    }

    /**
     * Sets the type of machine; "q35" where this is not called.
     *
     * @param type as on QEMU's command line: "q35", "pc"
     * @return this
     */
    public Builder machine(String type) {
      machine = type;
      return this;
    }

    /**
     * Sets how much RAM the guest has; 32 MiB where this is not called.
     *
     * @param size in MiB
     * @return this
     */
    public Builder mebibytes(int size) {
      mebibytes = size;
      return this;
    }

    /**
     * Sets how many queue pairs the device has; one where this is not called.
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
     * Sets the device's MAC address; 52:54:00:12:34:56 where this is not called.
     *
     * @param address with colons
     * @return this
     */
    public Builder mac(String address) {
      mac = address;
      return this;
    }

    /**
     * Sets further options of the device; none where this is not called.
     *
     * @param options as on QEMU's command line: "packed=on,disable-legacy=on"
     * @return this
     */
    public Builder deviceOptions(String options) {
      deviceOptions = options;
      return this;
    }

    /** In its options two commas are one. */
    private static void requireNoComma(Path path) {
      if (path.toString().indexOf(',') >= 0) {
        throw new IllegalArgumentException("a path here has no comma: " + path);
      }
    }

    /**
     * Sets what the processor finds at its reset vector, in place of QEMU's firmware: of use where
     * a machine is to run without that resetting its devices. A machine that waits for a stream
     * needs the same as the one that made it.
     *
     * @param image a multiple of 64 KiB, which ends below 4 GiB
     * @return this
     */
    public Builder firmware(Path image) {
      firmware = image.toAbsolutePath();
      return this;
    }

    /**
     * Lets it wait for a stream, which {@link QemuSystem#migrateFrom} brings.
     *
     * @return this
     */
    public Builder incoming() {
      incoming = true;
      return this;
    }

    /**
     * Starts it, and waits until its monitor answers.
     *
     * @param deadline for all of it; it usually takes half a second
     * @return the running process; the caller closes it
     * @throws VhostException when it cannot be started or is not ready in time; then nothing is
     *     left behind
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
          new ArrayList<>(
              List.of(PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-S"));
      command.addAll(List.of("-accel", "tcg", "-m", mebibytes + "M"));
      command.addAll(List.of("-machine", machine + ",memory-backend=" + RAM));
      command.addAll(
          List.of(
              "-object", "memory-backend-memfd,id=%s,size=%dM,share=on".formatted(RAM, mebibytes)));
      command.addAll(List.of("-chardev", "socket,id=backend,path=" + backEnd));
      command.addAll(List.of("-netdev", "vhost-user,id=peer,chardev=backend,queues=" + queuePairs));
      String multiqueue = queuePairs == 1 ? "" : ",mq=on,vectors=" + (2 * queuePairs + 2);
      String options = deviceOptions.isEmpty() ? "" : "," + deviceOptions;
      command.addAll(
          List.of(
              "-device",
              "virtio-net-pci,id=%s,netdev=peer,addr=3,mac=%s%s%s"
                  .formatted(DEVICE, mac, multiqueue, options)));
      if (firmware != null) {
        command.addAll(List.of("-bios", firmware.toString()));
      }
      if (incoming) {
        command.addAll(List.of("-incoming", "defer"));
      }
      // Once it listens there, all of the above stands.
      command.addAll(List.of("-qmp", "unix:" + monitor + ",server=on,wait=off"));
      return command;
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
   * Lets the guest run; returns when its devices were started.
   *
   * @param deadline for the monitor's answer
   * @throws VhostException it cannot
   */
  public void run(Deadline deadline) {
    qmp.execute("cont", Map.of(), deadline);
  }

  /**
   * Stops the guest; returns when its devices were stopped.
   *
   * @param deadline for the monitor's answer
   * @throws VhostException it cannot
   */
  public void pause(Deadline deadline) {
    qmp.execute("stop", Map.of(), deadline);
  }

  private static VhostException failed(String what, String why, ChildProcess process) {
    return new VhostException(
        "%s %s: %s; %s".formatted(what, PROGRAM, why, process.transcript().lastLines()),
        Recovery.GIVE_UP);
  }

  /**
   * Has its monitor execute a command.
   *
   * @param command its name
   * @param arguments strings, numbers, booleans, lists and maps of such
   * @param deadline for the answer
   * @return what came back: a map, a list, a string, a number or a boolean
   * @throws VhostException the monitor refused it, in QEMU's own words; or did not answer
   */
  public Object execute(String command, Map<String, ?> arguments, Deadline deadline) {
    return qmp.execute(command, arguments, deadline);
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
   * @param file that is made or replaced
   * @param deadline for all of it
   * @throws VhostException it could not, in QEMU's own words
   */
  public void migrateTo(Path file, Deadline deadline) {
    migrate("migrate", "exec:cat > " + quoted(file), deadline);
  }

  /**
   * Takes a migration stream; only one that was told to wait for one ({@link Builder#incoming}),
   * and only once.
   *
   * @param file what {@link #migrateTo} or another QEMU wrote
   * @param deadline for all of it
   * @throws VhostException it did not take it, in QEMU's own words
   */
  public void migrateFrom(Path file, Deadline deadline) {
    migrate("migrate-incoming", "exec:cat " + quoted(file), deadline);
  }

  private static String quoted(Path file) {
    return "'" + file.toAbsolutePath().toString().replace("'", "'\\''") + "'";
  }

  private void migrate(String command, String uri, Deadline deadline) {
    try {
      qmp.execute(command, Map.of("uri", uri), deadline);
      while (true) {
        Object answer = qmp.execute("query-migrate", Map.of(), deadline);
        Object status = answer instanceof Map<?, ?> fields ? fields.get("status") : null;
        if ("completed".equals(status)) {
          return;
        }
        if ("failed".equals(status)) {
          throw failed(command, "it failed", process);
        }
        // It exits where an incoming stream is wrong.
        if (process.awaitExit(Deadline.in(LOOK_MILLIS, TimeUnit.MILLISECONDS))) {
          throw ended(command);
        }
        if (deadline.expired()) {
          throw failed(command, "it takes longer than " + deadline.allowed(), process);
        }
      }
    } catch (VhostException e) {
      if (process.awaitExit(Deadline.in(1, TimeUnit.SECONDS))) {
        throw ended(command);
      }
      throw e;
    }
  }

  private VhostException ended(String command) {
    process.awaitOutput();
    return failed(command, "the process ended", process);
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
      // Litter in the caller's directory, who will find it.
    }
  }
}
