package io.github.jvhost;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The root of everything that this library reports as a failure. The message is one line: what was
 * being done, what came back, and where that is not plain, what the caller can do now. {@link
 * #recovery()} says the last part in a form that a program can act upon.
 *
 * <p>It is unchecked, because a front end's failures surface far from the message that caused them
 * and are handled where a device or a migration is owned, not at each step in between.
 */
public class VhostException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What the caller can soundly do now. */
  private final Recovery recovery;

  /**
   * A failure without a cause of its own.
   *
   * @param message one line: what was being done and what came back
   * @param recovery what the caller can do now
   */
  public VhostException(String message, Recovery recovery) {
    this(message, recovery, null);
  }

  /**
   * A failure that another one caused.
   *
   * @param message one line: what was being done and what came back
   * @param recovery what the caller can do now
   * @param cause what was thrown below, if anything was
   */
  public VhostException(String message, Recovery recovery, @Nullable Throwable cause) {
    super(message, cause);
    this.recovery = Objects.requireNonNull(recovery, "recovery");
  }

  /** {@return what the caller can soundly do now} */
  public final Recovery recovery() {
    return recovery;
  }
}
