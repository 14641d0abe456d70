package io.github.jvhost.mediate.peer;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.FileStat;
import io.github.jvhost.sys.io.Linux;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * One search for files of certain sizes. It owns what it has found until {@link #take}.
 *
 * <pre>
 *   /proc/PID/stat         22nd field: when it started, read before and after
 *   /proc/PID/fd/17        opens the file anew, whether it has a name or not
 *   /proc/PID/fdinfo/17    pos:    0
 *                          flags:  02100002      octal; the last digit is the access mode
 *                          mnt_id: 1
 *                          ino:    1042          since Linux 5.14
 * </pre>
 */
final class RamSearch implements AutoCloseable {
  private static final Path PROC = Path.of("/proc");

  /** More descriptors of a process than this are not looked at. */
  private static final int MOST_DESCRIPTORS = 16_384;

  private static final int MOST_TEXT = 4096;

  /** The fields of /proc/PID/stat behind the name, which ends with the last parenthesis. */
  private static final int START_TIME_BEHIND_NAME = 19;

  private final List<Long> sizes;
  private final DescriptorLedger ledger;
  private final @Nullable OwnedDescriptor[] found;
  private final List<FileStat> seen = new ArrayList<>();
  private int readOnly;

  RamSearch(List<Long> sizes, DescriptorLedger ledger) {
    this.sizes = List.copyOf(sizes);
    this.ledger = ledger;
    this.found = new OwnedDescriptor[sizes.size()];
  }

  /** {@return what was found, in the order of the sizes; the caller closes it} */
  List<OwnedDescriptor> take() {
    List<OwnedDescriptor> all = new ArrayList<>();
    for (int i = 0; i < found.length; i++) {
      OwnedDescriptor file = found[i];
      if (file != null) {
        all.add(file);
        found[i] = null;
      }
    }
    return all;
  }

  /** Closes what was found and not taken. */
  @Override
  public void close() {
    take().forEach(OwnedDescriptor::close);
  }

  /** Opens the files by their paths. */
  void inFiles(List<Path> paths) throws NotFoundException {
    for (Path path : paths) {
      OwnedDescriptor file = open(path);
      boolean kept = false;
      try {
        FileStat stat = MemoryFileCheck.requireOpen(file);
        kept = keep(file, stat);
      } finally {
        if (!kept) {
          file.close();
        }
      }
    }
    requireAll("the configured paths are");
  }

  /** Goes through the descriptors of a process. */
  void inProcess(long number) throws NotFoundException {
    Path process = PROC.resolve(Long.toString(number));
    String who = "process " + number + nameOf(process);
    String started = startTime(process, who);
    NavigableSet<Integer> descriptors = descriptors(process, who);
    for (int descriptor : descriptors) {
      if (!isComplete()) {
        look(process, descriptor);
      }
    }
    if (!startTime(process, who).equals(started)) {
      throw new NotFoundException(who + " ended while its descriptors were looked at");
    }
    requireAll(
        (descriptors.size() == MOST_DESCRIPTORS
                ? "the first %d descriptors of %s are"
                : "among the %d descriptors of %s are")
            .formatted(descriptors.size(), who));
  }

  private void look(Path process, int number) {
    Path path = process.resolve("fd").resolve(Integer.toString(number));
    Optional<Wanted> before = candidate(path);
    if (before.isEmpty()) {
      return;
    }
    if (!isHeldForWriting(process, number, before.get().inode())) {
      readOnly++;
      return;
    }
    OwnedDescriptor file;
    try {
      file = open(path);
    } catch (VhostException _) {
      return; // the process has closed it, or may not be looked at any more
    }
    boolean kept = false;
    try {
      FileStat stat = MemoryFileCheck.requireOpen(file);
      kept =
          stat.inode() == before.get().inode()
              && stat.device() == before.get().device()
              && isHeldForWriting(process, number, stat.inode())
              && isMemory(file)
              && keep(file, stat);
    } catch (VhostException _) {
      // Something else took its place meanwhile.
    } finally {
      if (!kept) {
        file.close();
      }
    }
  }

  private record Wanted(long device, long inode) {}

  /** A regular file of a size that is wanted. Nothing is opened to find that out. */
  private Optional<Wanted> candidate(Path path) {
    try {
      var attributes = Files.readAttributes(path, "unix:dev,ino,size,isRegularFile");
      boolean wanted =
          Boolean.TRUE.equals(attributes.get("isRegularFile"))
              && attributes.get("size") instanceof Long size
              && sizes.contains(size);
      return wanted
              && attributes.get("dev") instanceof Long device
              && attributes.get("ino") instanceof Long inode
          ? Optional.of(new Wanted(device, inode))
          : Optional.empty();
    } catch (IOException _) {
      return Optional.empty(); // closed meanwhile
    }
  }

  /**
   * Whether the process has the descriptor open for reading and writing, and it is still this file
   * where the kernel says so in the same breath.
   */
  private static boolean isHeldForWriting(Path process, int number, long inode) {
    String flags = "";
    for (String line :
        text(process.resolve("fdinfo").resolve(Integer.toString(number))).split("\n", -1)) {
      if (line.startsWith("flags:")) {
        flags = line.substring("flags:".length()).strip();
      }
      if (line.startsWith("ino:")
          && !line.substring("ino:".length()).strip().equals(Long.toUnsignedString(inode))) {
        return false;
      }
    }
    if (!flags.matches("[0-7]{1,12}")) {
      return false;
    }
    long mode = Long.parseLong(flags, 8);
    return (mode & Linux.O_ACCMODE) == Linux.O_RDWR && (mode & Linux.O_PATH) == 0;
  }

  /**
   * Whether a file is of tmpfs (a memfd is) or hugetlbfs: the kernel knows seals of no other file.
   * A disk image, which may have the size of the memory, is not one.
   */
  private static boolean isMemory(OwnedDescriptor file) {
    return Linux.fcntl(file.number(), Linux.F_GET_SEALS, 0) >= 0;
  }

  /** Keeps a file for the first place of its size that is free, unless the file has one. */
  private boolean keep(OwnedDescriptor file, FileStat stat) {
    if (seen.stream().anyMatch(stat::isSameFile)) {
      return false;
    }
    for (int i = 0; i < found.length; i++) {
      if (found[i] == null && sizes.get(i) == stat.size()) {
        found[i] = file;
        seen.add(stat);
        return true;
      }
    }
    return false;
  }

  private boolean isComplete() {
    return Arrays.stream(found).allMatch(file -> file != null);
  }

  private void requireAll(String where) throws NotFoundException {
    for (int i = 0; i < found.length; i++) {
      if (found[i] == null) {
        long size = sizes.get(i);
        long wanted = sizes.stream().filter(other -> other == size).count();
        long have = seen.stream().filter(stat -> stat.size() == size).count();
        throw new NotFoundException(
            "%s %d of %d files of memory of exactly %d bytes that are open for reading and writing%s"
                .formatted(
                    where,
                    have,
                    wanted,
                    size,
                    readOnly > 0 ? ", and " + readOnly + " of such sizes that are not" : ""));
      }
    }
  }

  /** O_NONBLOCK: should a pipe or a device have taken the file's place, nothing waits for it. */
  private OwnedDescriptor open(Path path) {
    String what = "guest memory " + path;
    int flags = Linux.O_RDWR | Linux.O_NONBLOCK | Linux.O_NOCTTY;
    int number = Linux.check(Linux.open(path.toString(), flags), "open " + what, "open");
    return OwnedDescriptor.adopt(ledger, number, what);
  }

  private static NavigableSet<Integer> descriptors(Path process, String who)
      throws NotFoundException {
    NavigableSet<Integer> numbers = new TreeSet<>();
    try (DirectoryStream<Path> all = Files.newDirectoryStream(process.resolve("fd"))) {
      for (Path one : all) {
        numbers.add(Integer.parseInt(String.valueOf(one.getFileName())));
        if (numbers.size() == MOST_DESCRIPTORS) {
          break;
        }
      }
      return numbers;
    } catch (AccessDeniedException e) {
      throw new NotFoundException(
          "the descriptors of "
              + who
              + " may not be looked at: the mediator needs the same uid and gid and at least the"
              + " same capabilities, or CAP_SYS_PTRACE; SELinux and AppArmor may forbid it, too");
    } catch (IOException e) {
      throw new NotFoundException(
          "the descriptors of " + who + " cannot be listed: " + e.getMessage());
    }
  }

  private static String startTime(Path process, String who) throws NotFoundException {
    String stat = text(process.resolve("stat"));
    String[] fields = stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ", -1);
    if (fields.length <= START_TIME_BEHIND_NAME) {
      throw new NotFoundException("there is no " + who + " that this mediator can see");
    }
    return fields[START_TIME_BEHIND_NAME];
  }

  /** The name in parentheses, with nothing in it that a log could not show. */
  private static String nameOf(Path process) {
    String name = text(process.resolve("comm")).strip().replaceAll("[^ -~]", "?");
    return name.isEmpty() ? "" : " (" + name + ")";
  }

  /** A small file of proc; empty if it cannot be read. */
  private static String text(Path file) {
    try (var in = Files.newInputStream(file)) {
      return new String(in.readNBytes(MOST_TEXT), ISO_8859_1);
    } catch (IOException _) {
      return "";
    }
  }
}
