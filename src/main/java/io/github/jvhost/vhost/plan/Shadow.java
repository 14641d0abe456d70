package io.github.jvhost.vhost.plan;

import java.util.ArrayList;
import java.util.List;

/**
 * What a back end is known to hold of one device: what it was sent and took, what it answered, and
 * what it is known to forget. Immutable; {@link #after} makes the next one.
 *
 * @param device of {@link Fact#OF_DEVICE}
 * @param rings by vring index
 * @param generation of the early configuration that was sent last, 0 for none
 */
public record Shadow(Facts device, List<RingShadow> rings, int generation) {

  /** Copies the list. */
  public Shadow {
    rings = List.copyOf(rings);
  }

  /** {@return the shadow of a back end that was just connected} */
  public static Shadow nothingHeld() {
    return new Shadow(Facts.NO_DEVICE, List.of(), 0);
  }

  /**
   * {@return what is known of a fact of the device}
   *
   * @param <T> of its value
   * @param fact one of {@link Fact#OF_DEVICE}
   */
  public <T> Known<T> get(Fact<T> fact) {
    return device.get(fact);
  }

  /**
   * {@return what is known of a vring, also of one of which nothing was sent yet}
   *
   * @param index vring index, 0 or more
   */
  public RingShadow ring(int index) {
    return index < rings.size() ? rings.get(index) : RingShadow.NOTHING_HELD;
  }

  /**
   * {@return whether the back end may hold a translation of an address in a range}
   *
   * @param first I/O virtual address of the range's first byte
   * @param last of its last byte
   */
  public boolean mayHoldTranslations(long first, long last) {
    Translations held = get(Fact.TRANSLATIONS).orNull();
    return held != null && held.mayHoldAnyOf(first, last);
  }

  /**
   * {@return whether the back end holds all of these, unless it dropped one by itself}
   *
   * @param sent steps that were sent, or are to be
   */
  public boolean holdsAll(List<Step.Translate> sent) {
    Translations held = get(Fact.TRANSLATIONS).orNull();
    return sent.stream().allMatch(step -> held != null && held.hold(step.translation()));
  }

  /** {@return whether any ring runs or may run} */
  public boolean anyRingMayRun() {
    for (RingShadow ring : rings) {
      if (ring.run() != RingShadow.Run.STOPPED) {
        return true;
      }
    }
    return false;
  }

  /**
   * {@return the shadow after a plan was carried out} The back end holds what it took. What it
   * refused or did not answer is unknown, and so is everything that was sent after it. What was
   * never sent has changed nothing.
   *
   * @param plan as it was sent
   * @param outcome of that plan
   */
  public Shadow after(Plan plan, Outcome outcome) {
    var editor = new ShadowEditor(this, plan.capabilities());
    editor.received(outcome.inflight());
    for (int i = 0; i < plan.steps().size(); i++) {
      Step step = plan.steps().get(i).step();
      if (i < outcome.stepsTaken()) {
        editor.apply(step, outcome.baseOf(i));
      } else if (i < outcome.stepsSent()) {
        editor.forget(step);
      }
    }
    if (outcome.complete() && plan.generation() > generation) {
      editor.generation(plan.generation());
    }
    return editor.toShadow();
  }

  /**
   * {@return the shadow after steps that were sent besides plans}
   *
   * @param steps whose answers were not asked for
   * @param capabilities of that back end
   * @param duringPlan whether a plan was under way, which may have made the back end drop them
   *     again
   */
  public Shadow after(
      List<Step.Translate> steps, BackEndCapabilities capabilities, boolean duringPlan) {
    var editor = new ShadowEditor(this, capabilities);
    for (Step.Translate step : steps) {
      editor.apply(step, null);
      if (duringPlan) {
        editor.forget(step);
      }
    }
    return editor.toShadow();
  }

  /** For {@link ShadowEditor}: the rings as a list that may grow. */
  List<RingShadow> ringsCopy() {
    return new ArrayList<>(rings);
  }
}
