package io.github.jvhost;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The superclass of all failures that this library reports. The message is one line: what was being
 * done, what came back and, where that is not obvious, what the caller can do now. {@link
 * #recovery()} gives a program the last part.
 *
 * <p>It is unchecked. The owner of a device or a migration handles the failure, and the methods
 * between that owner and the failed message do not.
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
   * @param cause the exception that caused this one, or null
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
