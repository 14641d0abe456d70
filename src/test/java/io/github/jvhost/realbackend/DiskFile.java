package io.github.jvhost.realbackend;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.SplittableRandom;

/** A raw disk of a few sectors in a directory of its own, with sockets beside it. */
record DiskFile(Path directory, Path file) implements AutoCloseable {
  static final int SECTORS = 64;

  static DiskFile create() {
    try {
      Path directory = Files.createTempDirectory("jvhost");
      var content = ByteBuffer.allocate(SECTORS * BlockQueue.SECTOR);
      for (int i = 0; i < SECTORS; i++) {
        content.put(original(i));
      }
      return new DiskFile(directory, Files.write(directory.resolve("disk"), content.array()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  Path socket() {
    return directory.resolve("blk");
  }

  /** What was there at first. */
  byte[] sector(int index) {
    return original(index);
  }

  private static byte[] original(int sector) {
    byte[] content = new byte[BlockQueue.SECTOR];
    new SplittableRandom(sector).nextBytes(content);
    return content;
  }

  /** What is there now. */
  byte[] sectorNow(int index) {
    var sector = ByteBuffer.allocate(BlockQueue.SECTOR);
    try (var channel = FileChannel.open(file, StandardOpenOption.READ)) {
      channel.read(sector, (long) index * BlockQueue.SECTOR);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return sector.array();
  }

  /** Fails where anything but the disk is left. */
  @Override
  public void close() {
    try {
      Files.delete(file);
      Files.delete(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
