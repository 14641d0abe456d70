package io.github.jvhost.vhost.plan;

import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * What the back end is known to hold of one vring.
 *
 * @param run whether it runs
 * @param size entries
 * @param base where it was told to begin, or, after a stop, where it stopped
 * @param addresses where it lies
 * @param logUsed whether its used ring is logged
 * @param kick guest to back end
 * @param call back end to guest
 * @param err back end to front end
 * @param order byte order of a legacy ring
 * @param enabled whether the queue is in use
 * @param stoppedAt the base that the back end returned when the ring stopped last; null: it did not
 *     stop since it was started, or never ran
 */
public record RingShadow(
    Run run,
    Known<Integer> size,
    Known<Integer> base,
    Known<RingAddresses> addresses,
    Known<Boolean> logUsed,
    Known<Notifier> kick,
    Known<Notifier> call,
    Known<Notifier> err,
    Known<ByteOrder> order,
    Known<Boolean> enabled,
    @Nullable Integer stoppedAt) {

  /** Whether a ring is served. */
  public enum Run {
    /** The back end does not touch it. */
    STOPPED,
    /** The back end may touch it at any time. */
    STARTED,
    /** Nobody can say: it has to be stopped before anything else. */
    UNKNOWN
  }

  /** A ring of which the back end was told nothing. */
  public static final RingShadow NOTHING_TOLD =
      new RingShadow(
          Run.STOPPED,
          Known.notTold(),
          Known.notTold(),
          Known.notTold(),
          Known.notTold(),
          Known.notTold(),
          Known.notTold(),
          Known.notTold(),
          Known.notTold(),
          Known.notTold(),
          null);

  RingShadow withRun(Run v) {
    return new RingShadow(
        v, size, base, addresses, logUsed, kick, call, err, order, enabled, stoppedAt);
  }

  RingShadow withSize(Known<Integer> v) {
    return new RingShadow(
        run, v, base, addresses, logUsed, kick, call, err, order, enabled, stoppedAt);
  }

  RingShadow withBase(Known<Integer> v) {
    return new RingShadow(
        run, size, v, addresses, logUsed, kick, call, err, order, enabled, stoppedAt);
  }

  RingShadow withAddresses(Known<RingAddresses> v) {
    return new RingShadow(run, size, base, v, logUsed, kick, call, err, order, enabled, stoppedAt);
  }

  RingShadow withLogUsed(Known<Boolean> v) {
    return new RingShadow(
        run, size, base, addresses, v, kick, call, err, order, enabled, stoppedAt);
  }

  RingShadow withKick(Known<Notifier> v) {
    return new RingShadow(
        run, size, base, addresses, logUsed, v, call, err, order, enabled, stoppedAt);
  }

  RingShadow withCall(Known<Notifier> v) {
    return new RingShadow(
        run, size, base, addresses, logUsed, kick, v, err, order, enabled, stoppedAt);
  }

  RingShadow withErr(Known<Notifier> v) {
    return new RingShadow(
        run, size, base, addresses, logUsed, kick, call, v, order, enabled, stoppedAt);
  }

  RingShadow withOrder(Known<ByteOrder> v) {
    return new RingShadow(
        run, size, base, addresses, logUsed, kick, call, err, v, enabled, stoppedAt);
  }

  RingShadow withEnabled(Known<Boolean> v) {
    return new RingShadow(
        run, size, base, addresses, logUsed, kick, call, err, order, v, stoppedAt);
  }

  RingShadow withStoppedAt(@Nullable Integer v) {
    return new RingShadow(run, size, base, addresses, logUsed, kick, call, err, order, enabled, v);
  }

  /** The same ring, of which nothing is known but whether it runs and where it stopped last. */
  RingShadow forgotten() {
    return new RingShadow(
        run,
        Known.unknown(),
        Known.unknown(),
        Known.unknown(),
        Known.unknown(),
        Known.unknown(),
        Known.unknown(),
        Known.unknown(),
        Known.unknown(),
        Known.unknown(),
        stoppedAt);
  }

  /** What is known once what was told may have gone; what was never told still was not. */
  static <T> Known<T> mayBeGone(Known<T> before) {
    return before instanceof Known.NotTold ? before : Known.unknown();
  }

  /** The same ring after a reset of the device, which may have taken along what was told. */
  RingShadow afterReset() {
    return new RingShadow(
        run,
        mayBeGone(size),
        mayBeGone(base),
        mayBeGone(addresses),
        mayBeGone(logUsed),
        mayBeGone(kick),
        mayBeGone(call),
        mayBeGone(err),
        mayBeGone(order),
        mayBeGone(enabled),
        stoppedAt);
  }
}
