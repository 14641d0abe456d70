package io.github.jvhost.vhost.plan;

/**
 * What the back end is known to hold of one vring. Immutable.
 *
 * @param run whether it runs
 * @param facts of {@link Fact#OF_RING}
 */
public record RingShadow(Run run, Facts facts) {

  /** Whether a ring is served. */
  public enum Run {
    /** The back end does not touch it. */
    STOPPED,
    /** The back end may touch it at any time. */
    STARTED,
    /** It is not known: the ring has to be stopped before anything else. */
    UNKNOWN
  }

  /** A ring of which the back end was sent nothing. */
  public static final RingShadow NOTHING_HELD = new RingShadow(Run.STOPPED, Facts.NO_RING);

  /**
   * {@return what is known of a fact}
   *
   * @param <T> of its value
   * @param fact one of {@link Fact#OF_RING}
   */
  public <T> Known<T> get(Fact<T> fact) {
    return facts.get(fact);
  }

  RingShadow with(Run now) {
    return new RingShadow(now, facts);
  }

  <T> RingShadow with(Fact<T> fact, Known<T> now) {
    return new RingShadow(run, facts.with(fact, now));
  }

  /** The same ring, where the back end may have forgotten this fact. */
  RingShadow mayHaveForgotten(Fact<?> fact) {
    return new RingShadow(run, facts.mayHaveForgotten(fact));
  }

  /** The same ring with every fact unknown. Whether it runs stays known. */
  RingShadow forgotten() {
    return new RingShadow(run, facts.after((_, _) -> Known.unknown()));
  }

  /** The same ring after a reset of the device, which may have cleared what was sent. */
  RingShadow afterReset() {
    return new RingShadow(run, facts.afterReset());
  }

  /**
   * The same ring after GET_VRING_BASE. Every back end forgets the kick. The specification does not
   * say what else a ring keeps ("Ring states" and VHOST_USER_GET_VRING_BASE only say that it
   * stops), and some back ends keep nothing. So what is not known of this back end is sent again,
   * as QEMU does.
   */
  RingShadow afterStop(BackEndProfile profile) {
    Facts kept =
        facts.after((fact, known) -> fact.isKeptOverStop(profile) ? known : known.mayBeGone());
    return new RingShadow(
        Run.STOPPED, kept.with(Fact.KICK, Known.notSent()).with(Fact.SERVED, Known.notSent()));
  }
}
