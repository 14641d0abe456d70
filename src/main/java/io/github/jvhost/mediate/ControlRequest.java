package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an operator asks of a mediator: one line of words with one space between them.
 *
 * <pre>
 *   status
 *   move NIC ADDRESS [SECONDS]
 *   standby NIC ADDRESS
 *   standby NIC none
 * </pre>
 */
sealed interface ControlRequest {
  /** What is going on. */
  record Status() implements ControlRequest {}

  /**
   * A NIC is to go to another switch.
   *
   * @param nic its name
   * @param address of the switch
   * @param within how long the other switch may take to be ready: 1 s to 1 hour
   */
  record Move(String nic, String address, Duration within) implements ControlRequest {}

  /**
   * A NIC is to have another standby.
   *
   * @param nic its name
   * @param address of the switch; null: no standby
   */
  record Standby(String nic, @Nullable String address) implements ControlRequest {}

  /** How long a move may take if nothing else is said. */
  Duration MOVES_WITHIN = Duration.ofSeconds(60);

  /** The word for no standby. */
  String NONE = "none";

  /**
   * Reads a request.
   *
   * @param line without its line feed; a carriage return at its end is no part of it
   * @return the request
   * @throws VhostException (GIVE_UP) with a sentence for the operator if it is none
   */
  static ControlRequest parse(String line) {
    String request = line.endsWith("\r") ? line.substring(0, line.length() - 1) : line;
    List<String> words = List.of(request.split(" ", -1));
    return switch (words.getFirst()) {
      case "status" -> status(words);
      case "move" -> move(words);
      case "standby" -> standby(words);
      default -> throw refused("the request is none of status, move, standby");
    };
  }

  private static Status status(List<String> words) {
    if (words.size() > 1) {
      throw refused("status has no words behind it");
    }
    return new Status();
  }

  private static Move move(List<String> words) {
    if (words.size() < 3 || words.size() > 4) {
      throw refused("a move is: move NIC ADDRESS [SECONDS], with single spaces");
    }
    Duration within = words.size() == 3 ? MOVES_WITHIN : seconds(words.get(3));
    return new Move(words.get(1), address(words.get(2)), within);
  }

  private static Standby standby(List<String> words) {
    if (words.size() != 3) {
      throw refused("a standby is: standby NIC ADDRESS, or standby NIC none");
    }
    return new Standby(words.get(1), words.get(2).equals(NONE) ? null : address(words.get(2)));
  }

  /** The mediator's working directory is not the client's, so a path has to say where it begins. */
  private static String address(String word) {
    if (!word.startsWith("/") && !word.startsWith("listen:/")) {
      throw refused(
          "the address of a switch is a path that begins with /, or listen: and such a path, not "
              + word);
    }
    return word;
  }

  private static Duration seconds(String word) {
    if (!word.matches("[0-9]{1,4}")) {
      throw refused("the seconds of a move are a number from 1 to 3600");
    }
    int seconds = Integer.parseInt(word);
    if (seconds < 1 || seconds > 3600) {
      throw refused("the seconds of a move are a number from 1 to 3600, not " + seconds);
    }
    return Duration.ofSeconds(seconds);
  }

  private static VhostException refused(String why) {
    return new VhostException(why, Recovery.GIVE_UP);
  }
}
