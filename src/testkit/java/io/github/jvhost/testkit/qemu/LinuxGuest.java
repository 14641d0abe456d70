package io.github.jvhost.testkit.qemu;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A Linux for {@link QemuSystem}: Debian's kernel, and busybox in an initramfs. Both come from
 * Debian's packages, which are unpacked and not installed. It has no disk.
 *
 * <p>It gives each network device an address, and pings a neighbour through each of them every 5
 * ms, for as long as it runs. On its console it says how that goes ({@link QemuGuest}).
 *
 * <pre>
 *   device          net0         net1
 *   in the guest    eth0         eth1
 *   the guest's     10.0.0.1     10.0.1.1      sends ARP and ICMP echo requests
 *   the neighbour   10.0.0.2     10.0.1.2      whoever answers behind the back end
 * </pre>
 *
 * @param kernel the kernel's file
 * @param initramfs the archive that the kernel unpacks
 */
public record LinuxGuest(Path kernel, Path initramfs) {
  private static final String KERNEL_PACKAGE = "linux-image-cloud-amd64";
  private static final String BUSYBOX_PACKAGE = "busybox-static";

  /**
   * Without pti=on guests sometimes fail after a migration under QEMU's emulation before 9.0, with
   * any back end. A guest that fails ends at once.
   */
  static final String KERNEL_OPTIONS =
      "console=ttyS0 quiet ipv6.disable=1 pti=on oops=panic panic=-1";

  /** In the order in which they can be inserted. One that is not there is part of the kernel. */
  private static final List<String> MODULES =
      List.of(
          "virtio_ring",
          "virtio",
          "virtio_pci_legacy_dev",
          "virtio_pci_modern_dev",
          "virtio_pci",
          "failover",
          "net_failover",
          "virtio_net");

  private static final Pattern DEPENDS = Pattern.compile("Depends: (linux-image-[0-9]\\S*)");

  /**
   * The first process. Each device gets a network namespace of its own, since the kernel counts
   * echo requests and answers in each namespace. It counts all of them, also those for which ping's
   * socket has no room.
   *
   * <pre>
   *   /proc/net/snmp:   Icmp: InMsgs ... InEchoReps ... OutEchos ...      names
   *                     Icmp: 41 ... 41 ... 42 ...                        numbers
   * </pre>
   */
  private static final String INIT =
      """
      #!/bin/busybox sh
      /bin/busybox --install -s /bin
      export PATH=/bin
      mount -t proc proc /proc
      mount -t sysfs sys /sys
      mount -t devtmpfs dev /dev
      for module in /modules/*; do
        insmod $module || echo "guest: cannot insert $module"
      done
      nic=0
      while [ -d /sys/class/net/eth$nic ]; do
        unshare -n /nic $nic &
        # Until it has its namespace, it would get the device in this one.
        while [ -d /sys/class/net/eth$nic ]; do
          ip link set eth$nic netns $!
        done
        nic=$((nic + 1))
      done
      echo "guest: $nic NICs."
      while :; do sleep 1000; done
      """;

  /**
   * Pings begin when the neighbour has answered an ARP request: of those that the kernel sends
   * before, it keeps 1.4 seconds' worth until it knows where the neighbour is, and drops the rest.
   * A back end that maps memory on a busy machine may take longer than that.
   */
  private static final String NIC =
      """
      #!/bin/sh
      until ip link set eth$1 up 2>/dev/null; do sleep 0.1; done
      ip addr add 10.0.$1.1/24 dev eth$1
      until arping -q -c 1 -w 1 -I eth$1 10.0.$1.2; do :; done
      while :; do
        ping -q -i 0.005 10.0.$1.2
        echo "guest: nic $1: ping ended."
        sleep 1
      done &
      exec awk -v nic=$1 -f /count
      """;

  private static final String COUNT =
      """
      BEGIN {
        snmp = "/proc/net/snmp"
        while (1) {
          while ((getline < snmp) > 0) {
            if ($1 != "Icmp:") continue
            if ($2 ~ /[0-9]/) printf "guest: nic %d sent %d answered %d.\\n", nic, $sent, $answered
            for (i = 2; i <= NF; i++) {
              if ($i == "OutEchos") sent = i
              if ($i == "InEchoReps") answered = i
            }
          }
          close(snmp)
          fflush()
          system("sleep 0.1")
        }
      }
      """;

  /**
   * Checks whether the guest can be made on this machine. Downloads Debian's packages if they are
   * not in the directory.
   *
   * @param directory for {@link #in}
   * @param deadline for all of it
   * @return empty if it can be made; else the reason, as a sentence for the message of a skipped
   *     test
   */
  public static Optional<String> available(Path directory, Deadline deadline) {
    try {
      packages(directory, deadline);
      return Optional.empty();
    } catch (VhostException e) {
      return Optional.of(String.valueOf(e.getMessage()));
    }
  }

  /**
   * Makes the guest, or takes what was made there before. Other processes may do the same at the
   * same time.
   *
   * @param directory is made if need be, and keeps the files: 35 MB. Packages that are in it
   *     already are taken: linux-image-*.deb, busybox-static*.deb
   * @param deadline for all of it; it takes three seconds the first time
   * @return the guest
   * @throws VhostException when a package cannot be downloaded or unpacked
   */
  public static LinuxGuest in(Path directory, Deadline deadline) {
    List<Path> packages = packages(directory, deadline);
    String recipe = packages + INIT + NIC + COUNT + MODULES;
    Path made =
        directory.toAbsolutePath().resolve("guest-" + Integer.toHexString(recipe.hashCode()));
    var guest = new LinuxGuest(made.resolve("vmlinuz"), made.resolve("initramfs"));
    if (Files.exists(made)) {
      return guest;
    }
    try {
      Path work = Files.createTempDirectory(directory, "unpacked");
      try {
        for (Path file : packages) {
          run("unpacking " + file, deadline, "dpkg-deb", "-x", file.toString(), work.toString());
        }
        Path result = Files.createDirectory(work.resolve("result"));
        Files.move(only(work.resolve("boot"), "vmlinuz-"), result.resolve("vmlinuz"));
        Files.write(result.resolve("initramfs"), archive(work));
        if (!Files.exists(made)) {
          Files.move(result, made, StandardCopyOption.ATOMIC_MOVE);
        }
      } finally {
        run("removing " + work, deadline, "rm", "-r", work.toString());
      }
      return guest;
    } catch (IOException e) {
      throw failed("making a Linux guest in " + directory, String.valueOf(e), e);
    }
  }

  /** The two packages' files. Downloads them into the directory if they are not there. */
  private static List<Path> packages(Path directory, Deadline deadline) {
    try {
      Files.createDirectories(directory);
      if (find(directory, "linux-image-").isEmpty()) {
        download(directory, kernelPackage(deadline), deadline);
      }
      if (find(directory, BUSYBOX_PACKAGE).isEmpty()) {
        download(directory, BUSYBOX_PACKAGE, deadline);
      }
      return List.of(only(directory, "linux-image-"), only(directory, BUSYBOX_PACKAGE));
    } catch (IOException e) {
      throw failed("looking for Debian packages in " + directory, String.valueOf(e), e);
    }
  }

  /** The package that has the kernel: the one that is named here only depends on it. */
  private static String kernelPackage(Deadline deadline) {
    String what = "asking apt-cache for " + KERNEL_PACKAGE;
    Matcher depends = DEPENDS.matcher(run(what, deadline, "apt-cache", "depends", KERNEL_PACKAGE));
    if (!depends.find()) {
      throw failed(what, "it knows none (apt-get update?)", null);
    }
    return depends.group(1);
  }

  private static void download(Path directory, String name, Deadline deadline) {
    run(
        "downloading the Debian package " + name,
        deadline,
        "sh",
        "-c",
        "cd \"$1\" && exec apt-get -q -o Acquire::Retries=3 download \"$2\"",
        "download",
        directory.toString(),
        name);
  }

  private static byte[] archive(Path unpacked) throws IOException {
    var archive = new CpioArchive();
    for (String directory : List.of("bin", "dev", "modules", "proc", "sbin", "sys", "usr")) {
      archive.directory(directory);
    }
    archive.directory("usr/bin");
    archive.directory("usr/sbin");
    archive.file("init", INIT.getBytes(US_ASCII));
    archive.file("nic", NIC.getBytes(US_ASCII));
    archive.file("count", COUNT.getBytes(US_ASCII));
    archive.file("bin/busybox", Files.readAllBytes(unpacked.resolve("bin").resolve("busybox")));
    int number = 10;
    for (String module : MODULES) {
      Optional<Path> file = findBelow(unpacked.resolve("lib"), module + ".ko");
      if (file.isPresent()) {
        String name = "modules/" + number++ + "-" + file.get().getFileName();
        archive.file(name, Files.readAllBytes(file.get()));
      }
    }
    return archive.finish();
  }

  private static Optional<Path> findBelow(Path directory, String prefix) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      return files.filter(file -> startsWith(file, prefix)).findFirst();
    }
  }

  private static Optional<Path> find(Path directory, String prefix) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.filter(file -> startsWith(file, prefix)).sorted().findFirst();
    }
  }

  private static Path only(Path directory, String prefix) throws IOException {
    return find(directory, prefix)
        .orElseThrow(() -> new NoSuchFileException(directory.resolve(prefix + "*").toString()));
  }

  private static boolean startsWith(Path file, String prefix) {
    return file.getFileName().toString().startsWith(prefix);
  }

  /** Runs a program to its end and returns what it printed. */
  private static String run(String what, Deadline deadline, String... command) {
    try (ChildProcess process = ChildProcess.leashed(command[0], List.of(command), Map.of())) {
      if (!process.awaitExit(deadline)) {
        throw failed(what, "it takes longer than " + deadline.allowed(), null);
      }
      process.awaitOutput();
      if (process.exitValue() != 0) {
        throw failed(what, process.lastLines(), null);
      }
      return process.transcript().text();
    }
  }

  private static VhostException failed(String what, String why, @Nullable Exception cause) {
    return new VhostException(what + ": " + why, Recovery.GIVE_UP, cause);
  }
}
