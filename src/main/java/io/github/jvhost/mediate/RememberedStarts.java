package io.github.jvhost.mediate;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.peer.Hint;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * What each NIC had when it started last, in one file a NIC: {@code NAME.json}, a {@link Hint}. A
 * guest that is restarted most often has the same again. A wrong file costs a presetup and nothing
 * else.
 *
 * <p>Files are written by a thread of their own, whole or not at all. Thread-safe.
 */
final class RememberedStarts implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(RememberedStarts.class);

  private final @Nullable Path directory;
  private final Map<String, Hint.Content> known = new ConcurrentHashMap<>();
  private final @Nullable ExecutorService writer;

  /** Why the last file was not written, which is said once. The writer's thread has it. */
  private String lastFailure = "";

  /**
   * Keeps starts in a directory.
   *
   * @param directory where the files are; null: nothing is kept
   */
  RememberedStarts(@Nullable Path directory) {
    this.directory = directory;
    this.writer =
        directory == null
            ? null
            : Executors.newSingleThreadExecutor(
                Thread.ofPlatform().name("jvhost-remember").daemon().factory());
  }

  /** Reads the file of a NIC, if there is one. */
  void load(String nic) {
    if (directory == null) {
      return;
    }
    Path file = file(directory, nic);
    try {
      if (Files.isRegularFile(file) && Files.size(file) <= Hint.MOST_BYTES) {
        Hint.Content content = Hint.decode(Files.readAllBytes(file)).content();
        if (content != null) {
          known.put(nic, content);
        }
      }
    } catch (IOException | VhostException e) {
      log.warn("{}: its last start is not known: {}: {}", nic, file, e.getMessage());
    }
  }

  /** {@return what a NIC had when it started last} */
  Optional<Hint.Content> of(String nic) {
    return Optional.ofNullable(known.get(nic));
  }

  /** Keeps what a NIC has, if it is something else than before. Does not wait. */
  void keep(Hint hint) {
    ExecutorService later = writer;
    Hint.Content content = hint.content();
    if (later != null && content != null && !content.equals(known.put(hint.nic(), content))) {
      later.execute(() -> write(hint));
    }
  }

  private void write(Hint hint) {
    Path into = directory;
    if (into == null) {
      return;
    }
    Path file = file(into, hint.nic());
    Path whole = into.resolve(hint.nic() + ".json.new");
    try {
      try (FileChannel out = FileChannel.open(whole, CREATE, WRITE, TRUNCATE_EXISTING)) {
        ByteBuffer bytes = ByteBuffer.wrap(hint.encoded());
        while (bytes.hasRemaining()) {
          var _ = out.write(bytes);
        }
        out.force(true); // some file systems say only now that there is no room
      }
      Files.move(whole, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      lastFailure = "";
    } catch (IOException | VhostException e) {
      String why =
          String.valueOf(e instanceof FileSystemException f ? f.getReason() : e.getMessage());
      log.atLevel(why.equals(lastFailure) ? Level.DEBUG : Level.WARN)
          .log("{}: its start is not kept: {}: {}", hint.nic(), file, why);
      lastFailure = why;
      known.remove(hint.nic()); // so that the next start is written, also if it is the same
      try {
        Files.deleteIfExists(whole);
      } catch (IOException left) {
        log.debug("{}: {} stays", hint.nic(), whole, left);
      }
    }
  }

  private static Path file(Path directory, String nic) {
    return directory.resolve(nic + ".json");
  }

  /** Ends the thread after what is to be written. */
  @Override
  public void close() {
    if (writer != null) {
      writer.close();
    }
  }
}
