package io.github.jvhost.vhost;

import org.jspecify.annotations.Nullable;

/**
 * What is known of one thing that a back end may hold.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param <T> the thing
 */
public sealed interface Known<T> {

  /** The back end was never told. */
  record NotTold<T>() implements Known<T> {
    @Override
    public String toString() {
      return "not told";
    }
  }

  /**
   * The back end was told and has taken it.
   *
   * @param value what it was told
   */
  record Told<T>(T value) implements Known<T> {
    @Override
    public String toString() {
      return String.valueOf(value);
    }
  }

  /** The back end may hold anything: it forgot, or it did not answer. */
  record Unknown<T>() implements Known<T> {
    @Override
    public String toString() {
      return "unknown";
    }
  }

  /** Nothing was told yet. */
  static <T> Known<T> notTold() {
    return new NotTold<>();
  }

  /** This was told and taken. */
  static <T> Known<T> told(T value) {
    return new Told<>(value);
  }

  /** Nobody can say. */
  static <T> Known<T> unknown() {
    return new Unknown<>();
  }

  /** What was told may have gone; what was never told still was not. */
  default Known<T> noLonger() {
    return this instanceof NotTold ? this : unknown();
  }

  /** Whether the back end surely holds just this. */
  default boolean is(@Nullable T value) {
    return this instanceof Told<T>(T told) && told.equals(value);
  }

  /** Whether the back end surely holds some value. */
  default boolean isTold() {
    return this instanceof Told;
  }

  /** What the back end surely holds, or null. */
  default @Nullable T orNull() {
    return this instanceof Told<T>(T told) ? told : null;
  }
}
