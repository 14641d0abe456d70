package io.github.jvhost.vhost.plan;

import org.jspecify.annotations.Nullable;

/**
 * A step with everything that explains it.
 *
 * @param step what is told
 * @param answer whether and when its answer is waited for
 * @param field what it is about: "features", "ring 3 base"
 * @param before what the back end held, for people; null where there is none
 * @param after what it will hold, for people; null where there is none
 * @param why the reason
 */
public record PlannedStep(
    Step step,
    Answer answer,
    String field,
    @Nullable Object before,
    @Nullable Object after,
    Why why) {

  /** What becomes of a step's answer. */
  public enum Answer {
    /** None is asked for: the barrier at the end of the plan vouches for it. */
    NONE,
    /** It is asked for, and collected with all others at the end of the plan. */
    COLLECTED,
    /** It is asked for, and nothing else is sent before it came. */
    AWAITED
  }

  /** {@return one line, "ring 3 base 0 -> 4711 (a ring's base is only known once it stopped)"} */
  public String describe() {
    var text = new StringBuilder(field);
    if (before != null) {
      text.append(' ').append(before);
    }
    if (after != null) {
      text.append(before == null ? " " : " -> ").append(after);
    }
    return text.append(" (").append(why.text()).append(')').toString();
  }
}
