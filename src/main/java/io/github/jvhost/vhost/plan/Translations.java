package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.Translation;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The translations that a back end was told and was not told to forget: an upper bound of what it
 * holds. A back end may drop any of them by itself, so none of them promises that it does not ask.
 * Of some it is known that it may have dropped them; these are told again where they are wanted,
 * and withdrawn like all others where they are wrong.
 *
 * <p>Immutable.
 *
 * @param told in the order of their I/O virtual addresses, taken as unsigned; none overlap
 */
public record Translations(List<Told> told) {
  /** None at all. */
  public static final Translations NONE = new Translations(List.of());

  /**
   * One of them.
   *
   * @param translation as it was told
   * @param mayBeGone whether the back end may have dropped it
   */
  public record Told(Translation translation, boolean mayBeGone) {}

  /** Copies the list. */
  public Translations {
    told = List.copyOf(told);
  }

  /** {@return what was told, as it was told} */
  public List<Translation> all() {
    return told.stream().map(Told::translation).toList();
  }

  /**
   * {@return whether the back end holds a translation, unless it dropped it by itself}
   *
   * @param wanted the translation
   */
  public boolean hold(Translation wanted) {
    int at = lastNotBehind(wanted.iova());
    return at >= 0 && !told.get(at).mayBeGone() && told.get(at).translation().equals(wanted);
  }

  /**
   * {@return whether the back end may hold a translation that has an address of a range}
   *
   * @param first I/O virtual address of the range's first byte
   * @param last of its last byte
   */
  public boolean mayHoldAnyOf(long first, long last) {
    for (Told one : told) { // each, because memory is at stake if two should overlap
      if (one.translation().touches(first, last)) {
        return true;
      }
    }
    return false;
  }

  /** The same after one more was told, which overlaps no other one but itself. */
  Translations with(Told more) {
    int at = lastNotBehind(more.translation().iova());
    List<Told> now = new ArrayList<>(told);
    if (at >= 0 && now.get(at).translation().equals(more.translation())) {
      now.set(at, more);
    } else {
      now.add(at + 1, more);
    }
    return new Translations(now);
  }

  /**
   * The same after a range was invalidated. An entry goes as a whole where the range touches it,
   * and DPDK drops the entry that begins right behind the range too.
   */
  Translations without(long first, long last) {
    return changed(one -> {
      Translation held = one.translation();
      if (held.touches(first, last)) {
        return null;
      }
      return last != -1 && held.iova() == last + 1 ? new Told(held, true) : one;
    });
  }

  /** The same, where the back end may have dropped each of them. */
  Translations inDoubt() {
    return changed(one -> new Told(one.translation(), true));
  }

  private Translations changed(Function<Told, @Nullable Told> change) {
    List<Told> left = new ArrayList<>(told.size());
    for (Told one : told) {
      Told now = change.apply(one);
      if (now != null) {
        left.add(now);
      }
    }
    return new Translations(left);
  }

  /** The index of the last one that does not begin behind an address; -1 if there is none. */
  private int lastNotBehind(long iova) {
    int low = 0;
    int high = told.size() - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      if (Long.compareUnsigned(told.get(middle).translation().iova(), iova) <= 0) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return high;
  }

  /** {@return how many there are, for explanations} */
  @Override
  public String toString() {
    return told.size() + " translation(s)";
  }
}
