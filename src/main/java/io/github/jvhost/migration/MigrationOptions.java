package io.github.jvhost.migration;

import io.github.jvhost.vhost.StartOrder;
import java.time.Duration;
import java.util.function.Consumer;

/**
 * Bounds and order of a migration; give both ends the same.
 *
 * @param early whether the source sends early records at all; without them there is no presetup,
 *     and nothing by which the destination could rehearse its window: {@link
 *     io.github.jvhost.vhost.VhostNetGroup#rehearse} does that before
 * @param order in which devices stop and start: planned, or the baseline
 * @param presetupWithin how long the source goes on iterating for a presetup that is not answered;
 *     then the guest stops all the same, and the report says "late"
 * @param lateWithin how long the destination, with the guest stopped, still waits for a presetup
 *     that is under way before it gives it up and connects anew; connecting comes on top of it, and
 *     all of that is downtime
 * @param linkWithin how long the other side may keep quiet, or not take what is sent; not shorter
 *     than presetupWithin if early records are sent, since a source that only waits for presetup
 *     sends nothing
 * @param windowWithin the same while the guest is stopped and the other side stops or starts its
 *     devices: how long the destination waits from STOPPING to COMMIT, and the source from COMMIT
 *     to RUNNING. Nobody sends while a back end is at work, so it has to be longer than all that
 *     the bounds of {@link io.github.jvhost.vhost.VhostDeviceOptions} allow there: a source that
 *     stops waiting after COMMIT does not know whether its guest runs
 * @param stopPages the source stops the guest when no more pages than this are left
 * @param copiesStopped whether a guest may leave whose back ends cannot log what they write, as no
 *     vDPA device can: nothing is sent before it is stopped, and all of its memory then. Otherwise
 *     the migration of such a guest is refused. The source alone looks at this
 * @param maxRounds or after so many rounds, but not before presetup was answered or is late. The
 *     last pages, sent while the guest is stopped, do not count as a round
 */
public record MigrationOptions(
    boolean early,
    StartOrder order,
    Duration presetupWithin,
    Duration lateWithin,
    Duration linkWithin,
    Duration windowWithin,
    boolean copiesStopped,
    long stopPages,
    int maxRounds) {

  /** Checks the ranges. */
  public MigrationOptions {
    requireNotNegative("presetupWithin", presetupWithin);
    requireNotNegative("lateWithin", lateWithin);
    requireNotNegative("linkWithin", linkWithin);
    requireNotNegative("windowWithin", windowWithin);
    if (linkWithin.isZero() || windowWithin.isZero() || stopPages < 0 || maxRounds < 1) {
      throw new IllegalArgumentException(
          "a migration with linkWithin %s, windowWithin %s, stopPages %d, maxRounds %d"
              .formatted(linkWithin, windowWithin, stopPages, maxRounds));
    }
  }

  /**
   * {@return this} Checked when an end is built, because single values may be set in any order.
   *
   * @throws IllegalArgumentException if the other side may not be quiet for as long as presetup
   *     takes
   */
  MigrationOptions requireLinkOutlastsPresetup() {
    if (early && linkWithin.compareTo(presetupWithin) < 0) {
      throw new IllegalArgumentException(
          "a migration with linkWithin %s, which is shorter than presetupWithin %s: a source that only waits for presetup is quiet"
              .formatted(linkWithin, presetupWithin));
    }
    return this;
  }

  private static void requireNotNegative(String what, Duration time) {
    if (time.isNegative()) {
      throw new IllegalArgumentException("a migration with %s %s".formatted(what, time));
    }
  }

  /**
   * {@return early records, planned order, 5 s for presetup, 1 s for a late one, 30 s of quiet, 10
   * min of it while the guest is stopped, and a guest that is stopped at 256 pages or after 8
   * rounds}
   */
  public static MigrationOptions defaults() {
    return new MigrationOptions(
        true,
        StartOrder.PLANNED,
        Duration.ofSeconds(5),
        Duration.ofSeconds(1),
        Duration.ofSeconds(30),
        Duration.ofMinutes(10),
        false,
        256,
        8);
  }

  /**
   * {@return the same without early records and in another order}
   *
   * @param newOrder in which devices stop and start
   */
  public MigrationOptions withoutEarly(StartOrder newOrder) {
    return with(to -> {
      to.early = false;
      to.order = newOrder;
    });
  }

  /**
   * {@return the same with another patience for presetup}
   *
   * @param newPresetupWithin how long the source waits for presetup, not negative
   * @param newLateWithin how long the destination still waits for a late one while the guest is
   *     stopped, not negative
   */
  public MigrationOptions patience(Duration newPresetupWithin, Duration newLateWithin) {
    return with(to -> {
      to.presetupWithin = newPresetupWithin;
      to.lateWithin = newLateWithin;
    });
  }

  /**
   * {@return the same with another patience for the other side}
   *
   * @param newLinkWithin how long it may keep quiet, or not take what is sent; more than zero, and
   *     not shorter than presetupWithin when a source or destination is built with it
   */
  public MigrationOptions linkWithin(Duration newLinkWithin) {
    return with(to -> to.linkWithin = newLinkWithin);
  }

  /**
   * {@return the same with another patience for the other side while the guest is stopped}
   *
   * @param newWindowWithin how long it may keep quiet while it stops or starts its devices; more
   *     than zero
   */
  public MigrationOptions windowWithin(Duration newWindowWithin) {
    return with(to -> to.windowWithin = newWindowWithin);
  }

  /**
   * {@return the same with another moment to stop the guest}
   *
   * @param pages when no more than these are left; a fast link can take more in the same time
   * @param rounds or after so many rounds, at least one, however many pages are left; more rounds
   *     if presetup is not answered by then
   */
  public MigrationOptions stopAt(long pages, int rounds) {
    return with(to -> {
      to.stopPages = pages;
      to.maxRounds = rounds;
    });
  }

  /** {@return the same, with which a guest may leave whose back ends cannot log} */
  public MigrationOptions copyingStopped() {
    return with(to -> to.copiesStopped = true);
  }

  private MigrationOptions with(Consumer<Draft> change) {
    var draft = new Draft();
    change.accept(draft);
    return draft.made();
  }

  /** What an option changes of these: one line each. The others stay as they are. */
  private final class Draft {
    private boolean early = early();
    private StartOrder order = order();
    private Duration presetupWithin = presetupWithin();
    private Duration lateWithin = lateWithin();
    private Duration linkWithin = linkWithin();
    private Duration windowWithin = windowWithin();
    private boolean copiesStopped = copiesStopped();
    private long stopPages = stopPages();
    private int maxRounds = maxRounds();

    private MigrationOptions made() {
      return new MigrationOptions(
          early,
          order,
          presetupWithin,
          lateWithin,
          linkWithin,
          windowWithin,
          copiesStopped,
          stopPages,
          maxRounds);
    }
  }
}
