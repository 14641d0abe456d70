package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Outcome;
import java.util.function.Consumer;
import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who hears what becomes of one device: the embedder's {@link Observer}, and a flight recording.
 *
 * <p>Events are only made where the recorder is there. Their classes are not touched before: the
 * first that a JVM initializes has the recorder read its catalogue, which takes longer than many a
 * migration's window.
 */
final class Observation {
  private static final Logger log = LoggerFactory.getLogger(Observation.class);

  private final String device;
  private final Observer observer;
  private final boolean recorded;

  Observation(VhostDeviceOptions options) {
    this.device = options.name();
    this.observer = options.observer();
    this.recorded = observer != Rehearsed.SILENTLY;
  }

  private static @Nullable String messageOf(@Nullable VhostException failure) {
    return failure == null ? null : String.valueOf(failure.getMessage());
  }

  /** A plan has ended. */
  void finished(Execution execution, Outcome outcome) {
    execution.record(outcome);
    if (!Observer.NONE.equals(observer)) { // the plan as it was told is made when it is asked for
      tell(o -> o.planFinished(device, execution.plan(), outcome));
    }
  }

  /** The device goes on another way than was asked for. */
  void fallback(String why) {
    if (recorded && FlightRecorder.isInitialized()) {
      var event = new FallbackEvent();
      event.device = device;
      event.why = why;
      event.commit();
    }
    tell(o -> o.fallback(device, why));
  }

  /** The connection is lost. */
  void lost(VhostException why) {
    tell(o -> o.lost(device, why));
  }

  /** An attempt to connect anew begins; null: nobody records. */
  @Nullable ReconnectEvent attempt() {
    if (!recorded || !FlightRecorder.isInitialized()) {
      return null;
    }
    var event = new ReconnectEvent();
    event.begin();
    return event;
  }

  /**
   * It has ended.
   *
   * @param number from 1
   * @param why the connection before is of no use any more
   * @param failure null: the device is connected
   */
  void attempted(
      @Nullable ReconnectEvent event, int number, String why, @Nullable VhostException failure) {
    if (event != null) {
      event.device = device;
      event.attempt = number;
      event.why = why;
      event.failure = messageOf(failure);
      event.commit();
    }
    if (failure == null) {
      tell(o -> o.reconnected(device, number));
    }
  }

  /** Whatever an observer does, the device goes on. */
  private void tell(Consumer<Observer> event) {
    try {
      event.accept(observer);
    } catch (Throwable e) { // an Error of theirs, too
      log.warn("{}: the observer failed", device, e);
    }
  }
}
