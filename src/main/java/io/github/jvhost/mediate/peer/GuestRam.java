package io.github.jvhost.mediate.peer;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.FileStat;
import io.github.jvhost.sys.io.PeerCredentials;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/**
 * Finds the files of a guest's memory before QEMU sends them. What it finds is a guess: a process
 * may have several files of one size. So the caller compares device and inode with what QEMU sends
 * ({@link FileStat#isSameFile}), and nothing is served from a guess alone.
 *
 * <p>A file is taken only if the process itself holds it open for reading and writing. This one may
 * have more rights than QEMU, and what it opens is mapped writable. A file counts once, also if it
 * is held several times. For the k-th file of a size in the hint it takes the k-th file of exactly
 * that size, in the order of the descriptors.
 *
 * <p>Thread-safe: it has no state. It takes as long as the process has descriptors, some
 * microseconds each, and never waits.
 */
public final class GuestRam {
  private GuestRam() {}

  /** Where the files are looked for. */
  public sealed interface Source {}

  /**
   * Files that QEMU was given by their paths (memory-backend-file).
   *
   * @param files in the order of QEMU's memory
   */
  public record Paths(List<Path> files) implements Source {
    /** Copies the list. */
    public Paths {
      files = List.copyOf(files);
    }
  }

  /**
   * The process at the other end of the vhost-user socket.
   *
   * @param peer what the socket says
   * @param connected whether this side connected. Then it is the process that called listen, which
   *     may be libvirt
   */
  public record Peer(PeerCredentials peer, boolean connected) implements Source {}

  /**
   * A process whose number is known.
   *
   * @param number of the process
   */
  public record Pid(long number) implements Source {}

  /**
   * A process whose number is in a file.
   *
   * @param path of a file with a decimal number
   */
  public record PidFile(Path path) implements Source {}

  /** What came of it. */
  public sealed interface Result {}

  /**
   * All files were found.
   *
   * @param files one for each size, in their order; open for reading and writing, close-on-exec.
   *     The caller closes them
   */
  public record Found(List<OwnedDescriptor> files) implements Result {
    /** Copies the list. */
    public Found {
      files = List.copyOf(files);
    }
  }

  /**
   * Not all files were found, and none is kept open.
   *
   * @param why a sentence for the operator
   */
  public record NotFound(String why) implements Result {}

  /**
   * Looks for the files.
   *
   * @param source where to look
   * @param sizes of the files in bytes, as {@link Hint.Content#fileSizes} has them
   * @param ledger records the descriptors
   * @return the files, or why there are none. Nothing is thrown because of what was found
   */
  public static Result find(Source source, List<Long> sizes, DescriptorLedger ledger) {
    try (RamSearch search = new RamSearch(sizes, ledger)) {
      switch (source) {
        case Paths paths -> search.inFiles(paths.files());
        case Pid pid -> search.inProcess(pid.number());
        case PidFile file -> search.inProcess(numberIn(file.path()));
        case Peer peer -> ofPeer(search, peer);
      }
      return new Found(search.take());
    } catch (NotFoundException | VhostException e) {
      return new NotFound(String.valueOf(e.getMessage()));
    }
  }

  private static void ofPeer(RamSearch search, Peer peer) throws NotFoundException {
    int number = peer.peer().process();
    if (number == 0) {
      throw new NotFoundException(
          "the process at the other end of the socket is in a pid namespace that this mediator"
              + " cannot see (pid 0); run both in one pid namespace, or configure the path of the"
              + " memory");
    }
    try {
      search.inProcess(number);
    } catch (NotFoundException e) {
      throw peer.connected()
          ? new NotFoundException(
              e.getMessage()
                  + ". This is the process that listened on the socket; if that was libvirt, which"
                  + " passes the socket on, configure QEMU's pid file")
          : e;
    }
  }

  private static long numberIn(Path file) throws NotFoundException {
    try (var in = Files.newInputStream(file)) {
      String text = new String(in.readNBytes(32), StandardCharsets.US_ASCII).strip();
      if (!text.matches("[1-9][0-9]{0,9}")) {
        throw new NotFoundException("the pid file " + file + " has no number of a process in it");
      }
      return Long.parseLong(text);
    } catch (NoSuchFileException e) {
      throw new NotFoundException("there is no pid file " + file + "; QEMU may not run yet");
    } catch (IOException e) {
      throw new NotFoundException("the pid file " + file + " cannot be read: " + e.getMessage());
    }
  }
}
