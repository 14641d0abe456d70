package io.github.jvhost.cli;

import io.github.jvhost.mediate.GuestRamPlace;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/**
 * The values of {@code --memory}: where the memory of guests is.
 *
 * @param all for NICs that have no place of their own
 * @param own by the names of NICs
 */
record MemoryWords(GuestRamPlace all, Map<String, GuestRamPlace> own) {
  private static final String AUTO = "auto";
  private static final String PID_FILE = "pid-file:";

  /**
   * Reads the values.
   *
   * @param nics that there are
   * @throws ParameterException when one is no place, or a place is given twice
   */
  static MemoryWords parse(CommandSpec spec, List<String> values, List<NicWords> nics) {
    GuestRamPlace all = null;
    Map<String, GuestRamPlace> own = new HashMap<>();
    for (String value : values) {
      int equals = value.indexOf('=');
      String before = equals < 0 ? "" : value.substring(0, equals);
      boolean ofNic = nics.stream().anyMatch(nic -> nic.name().equals(before));
      if (!ofNic && NicWords.isName(before)) {
        throw new ParameterException(
            spec.commandLine(),
            "--memory: there is no NIC %s; write ./%s for a file".formatted(before, value));
      }
      GuestRamPlace place = place(spec, ofNic ? value.substring(equals + 1) : value);
      if (ofNic ? own.put(before, place) != null : all != null) {
        throw new ParameterException(
            spec.commandLine(),
            "--memory: two places for " + (ofNic ? before : "all NICs; NAME=PLACE is for one"));
      }
      all = ofNic ? all : place;
    }
    return new MemoryWords(all == null ? new GuestRamPlace.FrontEnd() : all, own);
  }

  private static GuestRamPlace place(CommandSpec spec, String text) {
    if (text.equals(AUTO)) {
      return new GuestRamPlace.FrontEnd();
    }
    try {
      if (text.startsWith(PID_FILE)) {
        return new GuestRamPlace.PidFile(file(spec, text.substring(PID_FILE.length())));
      }
      return new GuestRamPlace.Files(
          Arrays.stream(text.split(",", -1)).map(path -> file(spec, path)).toList());
    } catch (InvalidPathException e) {
      throw new ParameterException(
          spec.commandLine(), "--memory: this is no path: " + e.getReason(), e);
    }
  }

  private static Path file(CommandSpec spec, String text) {
    Path path = Path.of(text);
    Words.requireNamed(spec, "--memory", path);
    return path;
  }

  /** Returns where the memory of a NIC's guest is. */
  GuestRamPlace of(String nic) {
    return own.getOrDefault(nic, all);
  }
}
