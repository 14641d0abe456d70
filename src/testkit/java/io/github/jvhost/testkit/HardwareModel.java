package io.github.jvhost.testkit;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.IOException;
import java.io.Reader;
import java.math.BigDecimal;
import java.nio.charset.CharacterCodingException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Properties;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What it would cost to configure one device on real hardware. The hardware is <em>modelled</em>:
 * this is a price list in whole microseconds. Only the difference between the current and the
 * wanted configuration is charged.
 *
 * <pre>
 *   in hardware        wanted             charged
 *   (nothing)          rings 0, 1         fixed + 2 x (create + index) + RSS of 1 RX queue
 *   rings 0, 1         same, index moved  fixed + index of each ring that moved
 *   rings 0, 1         rings 0 to 3       fixed + 2 x (create + index) + RSS of 2 RX queues
 * </pre>
 *
 * @param name its name in reports, which always says that it is modelled
 * @param fixedMicros per configuration that is committed
 * @param createMicros per ring that is created, or created again because size, addresses or
 *     features changed
 * @param rssMicros per RX queue, whenever the set of RX queues changed or one of them was created
 * @param indexMicros per ring whose index is new or moved
 * @param mapMicrosPerGiB per GiB of a memory table that is new
 */
public record HardwareModel(
    String name,
    long fixedMicros,
    long createMicros,
    long rssMicros,
    long indexMicros,
    long mapMicrosPerGiB) {
  private static final String PREFIX = "modelled.";

  /** Checks the prices: none may be negative, none above one minute. */
  public HardwareModel {
    checkPrice("fixed", fixedMicros);
    checkPrice("create", createMicros);
    checkPrice("rss", rssMicros);
    checkPrice("index", indexMicros);
    checkPrice("map", mapMicrosPerGiB);
  }

  /**
   * {@return the prices behind the RFC's figures} One device with one queue pair costs 95.7 ms in
   * full and 3.3 ms where only the indexes moved. Mapping memory is free in it.
   */
  public static HardwareModel rfc() {
    return new HardwareModel("rfc (modelled)", 1_300, 42_700, 7_000, 1_000, 0);
  }

  /**
   * {@return the prices of a process that locks its memory} A new memory table costs 45 ms per GiB
   * and device; everything else is free.
   */
  public static HardwareModel lockedMemory() {
    return new HardwareModel("locked-memory (modelled)", 0, 0, 0, 0, 45_000);
  }

  /** {@return a model in which everything is free} */
  public static HardwareModel none() {
    return new HardwareModel("none (modelled)", 0, 0, 0, 0, 0);
  }

  /**
   * Reads prices from a properties file: {@code modelled.fixed-ms}, {@code modelled.create-ms},
   * {@code modelled.rss-ms}, {@code modelled.index-ms}, {@code modelled.map-ms-per-gib}, each a
   * decimal number of milliseconds. A key that is absent means 0, and any other key is an error.
   *
   * @param file the properties file
   * @return the model, named after the file
   * @throws VhostException (GIVE_UP) with one line that says what is wrong with which key
   */
  public static HardwareModel fromFile(Path file) {
    Properties properties = new Properties();
    try (Reader reader = Files.newBufferedReader(file)) {
      properties.load(reader);
    } catch (IOException | IllegalArgumentException e) {
      throw new VhostException(
          "reading the hardware model %s: %s".formatted(file, reason(e)), Recovery.GIVE_UP, e);
    }
    if (properties.isEmpty()) {
      throw new VhostException(
          "reading the hardware model %s: there is no %sfixed-ms or the like in it"
              .formatted(file, PREFIX),
          Recovery.GIVE_UP);
    }
    Prices prices = new Prices(file, properties);
    HardwareModel model =
        new HardwareModel(
            file.getFileName() + " (modelled)",
            prices.take("fixed-ms"),
            prices.take("create-ms"),
            prices.take("rss-ms"),
            prices.take("index-ms"),
            prices.take("map-ms-per-gib"));
    prices.nothingElse();
    return model;
  }

  private static String reason(Exception e) {
    return switch (e) {
      case NoSuchFileException _ -> "there is no such file";
      case CharacterCodingException _ -> "it is no text";
      case FileSystemException fs when fs.getReason() != null -> String.valueOf(fs.getReason());
      default -> String.valueOf(e.getMessage());
    };
  }

  /**
   * Returns the price of a change from one image to another.
   *
   * @param current what the hardware holds, or null if nothing was ever configured
   * @param wanted what it has to hold
   * @return microseconds
   */
  long costMicros(@Nullable HardwareImage current, HardwareImage wanted) {
    long micros = fixedMicros;
    boolean featuresChanged = current == null || current.features() != wanted.features();
    boolean receiversChanged = current == null || !current.receivers().equals(wanted.receivers());
    for (HardwareImage.Ring ring : wanted.rings()) {
      HardwareImage.Ring there = current == null ? null : current.ring(ring.ring());
      if (there == null || featuresChanged || !there.samePlace(ring)) {
        micros += createMicros + indexMicros;
        receiversChanged |= ring.isReceiver();
      } else if (there.index() != ring.index()) {
        micros += indexMicros;
      }
    }
    if (receiversChanged) {
      micros += rssMicros * wanted.receivers().size();
    }
    return micros;
  }

  /**
   * Returns the price of mapping a new memory table.
   *
   * @param bytes the size of all its regions together
   * @return microseconds
   */
  long mapMicros(long bytes) {
    return Math.round(mapMicrosPerGiB * (bytes / (double) (1L << 30)));
  }

  private static void checkPrice(String what, long micros) {
    if (micros < 0 || micros > 60_000_000) {
      throw new IllegalArgumentException(
          "the modelled price '" + what + "' is not within 0 to 60000 ms");
    }
  }

  /** The keys of one file, and which of them were read. */
  private record Prices(Path file, Properties properties, TreeSet<String> taken) {
    Prices(Path file, Properties properties) {
      this(file, properties, new TreeSet<>());
    }

    long take(String key) {
      taken.add(PREFIX + key);
      String text = properties.getProperty(PREFIX + key, "0").strip();
      BigDecimal millis;
      try {
        millis = new BigDecimal(text);
      } catch (NumberFormatException e) {
        throw bad(PREFIX + key + " is '" + text + "', which is not a number of milliseconds", e);
      }
      if (millis.signum() < 0 || millis.compareTo(BigDecimal.valueOf(60_000)) > 0) {
        throw bad(PREFIX + key + " is " + text + ", which is not within 0 to 60000", null);
      }
      return millis.movePointRight(3).longValue();
    }

    void nothingElse() {
      for (String key : new TreeSet<>(properties.stringPropertyNames())) {
        if (!taken.contains(key)) {
          throw bad("unknown key '" + key + "', known are " + taken, null);
        }
      }
    }

    private VhostException bad(String what, @Nullable Throwable cause) {
      return new VhostException(
          "reading the hardware model " + file + ": " + what, Recovery.GIVE_UP, cause);
    }
  }
}
