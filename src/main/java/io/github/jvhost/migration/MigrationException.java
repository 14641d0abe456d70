package io.github.jvhost.migration;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import org.jspecify.annotations.Nullable;

/** A migration that did not come to its end. The message says which side's guest runs now. */
public class MigrationException extends VhostException {
  private static final long serialVersionUID = 1L;

  /**
   * A failure of the migration.
   *
   * @param message what was being done, what came back, and who runs
   * @param recovery RETRY if the guest still runs on the source
   * @param cause what was thrown below
   */
  public MigrationException(String message, Recovery recovery, @Nullable Throwable cause) {
    super(message, recovery, cause);
  }

  /** The message of what was thrown; if it has none, its class. */
  static String reason(Throwable thrown) {
    String message = thrown.getMessage();
    return message == null ? thrown.toString() : message;
  }

  static MigrationException malformed(String what) {
    return new MigrationException("migration stream: " + what, Recovery.GIVE_UP, null);
  }
}
