package io.github.jvhost.vhost.plan;

import org.jspecify.annotations.Nullable;

/**
 * What is known of one thing that a back end may hold.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param <T> the thing
 */
public sealed interface Known<T> {

  /**
   * The back end was never sent a value.
   *
   * @param <T> the thing
   */
  record NotSent<T>() implements Known<T> {
    @Override
    public String toString() {
      return "not sent";
    }
  }

  /**
   * The back end was sent a value and has taken it.
   *
   * @param <T> the thing
   * @param value that it holds
   */
  record Held<T>(T value) implements Known<T> {
    @Override
    public String toString() {
      return String.valueOf(value);
    }
  }

  /**
   * The back end may hold anything, because it forgot the value or did not answer.
   *
   * @param <T> the thing
   */
  record Unknown<T>() implements Known<T> {
    @Override
    public String toString() {
      return "unknown";
    }
  }

  /**
   * {@return that nothing was sent yet}
   *
   * @param <T> the thing
   */
  static <T> Known<T> notSent() {
    return new NotSent<>();
  }

  /**
   * {@return that the back end holds this value}
   *
   * @param <T> the thing
   * @param value that it was sent and took
   */
  static <T> Known<T> held(T value) {
    return new Held<>(value);
  }

  /**
   * {@return that the back end may hold anything}
   *
   * @param <T> the thing
   */
  static <T> Known<T> unknown() {
    return new Unknown<>();
  }

  /**
   * {@return whether the back end surely holds this value}
   *
   * @param value compared by {@code equals}; null is never held
   */
  default boolean is(@Nullable T value) {
    return this instanceof Held<T>(T held) && held.equals(value);
  }

  /** {@return whether the back end surely holds some value} */
  default boolean isHeld() {
    return this instanceof Held;
  }

  /** {@return what the back end surely holds; null if it was sent nothing or may hold anything} */
  default @Nullable T orNull() {
    return this instanceof Held<T>(T held) ? held : null;
  }

  /** {@return what is known once the value may be gone} What was never sent stays so. */
  default Known<T> mayBeGone() {
    return this instanceof NotSent ? this : unknown();
  }
}
