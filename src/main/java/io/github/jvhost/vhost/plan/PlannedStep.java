package io.github.jvhost.vhost.plan;

import org.jspecify.annotations.Nullable;

/**
 * A step with everything that explains it.
 *
 * @param step what is sent
 * @param answer whether and when its answer is waited for
 * @param field what it is about: "features", "ring 3 base"
 * @param before what the back end held, as text; null where there is none
 * @param after what it will hold, as text; null where there is none
 * @param why the reason
 */
public record PlannedStep(
    Step step,
    Answer answer,
    String field,
    @Nullable Object before,
    @Nullable Object after,
    Why why) {

  /** Whether a step asks for an answer, and when that is waited for. */
  public enum Answer {
    /** None is asked for. The answer at the end of the plan says that the step was done. */
    NONE,
    /** It is asked for, and waited for at the end of the plan with all others. */
    COLLECTED,
    /** It is asked for, and nothing else is sent before it has come. */
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
