package io.github.jvhost.vhost.plan;

import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;

/** What is known of each fact of a device, or of a vring. Immutable. */
public final class Facts {
  /** The facts of a device before anything was sent. */
  static final Facts NO_DEVICE = nothing(Fact.OF_DEVICE);

  /** The facts of a vring before anything was sent. */
  static final Facts NO_RING = nothing(Fact.OF_RING);

  private final List<Fact<?>> facts;

  /** In the order of {@link #facts}. */
  private final Known<?>[] known;

  private Facts(List<Fact<?>> facts, Known<?>[] known) {
    this.facts = facts;
    this.known = known;
  }

  private static Facts nothing(List<Fact<?>> facts) {
    Known<?>[] known = new Known<?>[facts.size()];
    Arrays.fill(known, Known.notSent());
    return new Facts(facts, known);
  }

  /**
   * {@return what is known of a fact}
   *
   * @param <T> of its value
   * @param fact of the device or of a vring, whichever these facts describe
   */
  @SuppressWarnings("unchecked") // only with() puts something there, of the same type
  public <T> Known<T> get(Fact<T> fact) {
    return (Known<T>) known[place(fact)];
  }

  <T> Facts with(Fact<T> fact, Known<T> now) {
    Known<?>[] others = known.clone();
    others[place(fact)] = now;
    return new Facts(facts, others);
  }

  private int place(Fact<?> fact) {
    int place = facts.indexOf(fact);
    if (place < 0) {
      throw new IllegalArgumentException(fact + " is not one of " + facts);
    }
    return place;
  }

  /** The same facts, where the back end may have forgotten this one. */
  Facts mayHaveForgotten(Fact<?> forgotten) {
    return after((fact, now) -> fact == forgotten ? now.mayBeGone() : now);
  }

  /** The same facts after a reset of the device. */
  Facts afterReset() {
    return after((fact, now) ->
        switch (fact.afterReset()) {
          case KEPT -> now;
          case ZERO -> Known.held(0);
          case MAY_BE_GONE -> now.mayBeGone();
          case GONE -> Known.notSent();
        });
  }

  /** The same facts with a change applied to each. */
  Facts after(BiFunction<Fact<?>, Known<?>, Known<?>> change) {
    Known<?>[] others = new Known<?>[known.length];
    Arrays.setAll(others, i -> change.apply(facts.get(i), known[i]));
    return new Facts(facts, others);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Facts o && facts.equals(o.facts) && Arrays.equals(known, o.known);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(known);
  }

  /** {@return all facts: "size 256, byte order not sent, ..."} */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < known.length; i++) {
      text.append(i == 0 ? "" : ", ").append(facts.get(i)).append(' ').append(known[i]);
    }
    return text.toString();
  }
}
