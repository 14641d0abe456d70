package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reports the transitions of one device to the embedder's {@link Observer} and to a flight
 * recording.
 *
 * <p>Events are only made if the recorder was initialized. Their classes are not touched before:
 * when a JVM initializes its first event class, the recorder reads its catalogue, which takes
 * longer than many a stop window.
 */
final class Observation {
  private static final Logger log = LoggerFactory.getLogger(Observation.class);

  private final String device;
  private final Observer observer;
  private final Executor calls;
  private final boolean recorded;

  /**
   * Makes the reports of a device.
   *
   * @param calls makes the calls of the observer, in this order, at once or later
   */
  Observation(VhostDeviceOptions options, Executor calls) {
    this.calls = calls;
    this.device = options.name();
    this.observer = options.observer();
    this.recorded = observer != RecordsNothing.OBSERVER;
  }

  private static @Nullable String messageOf(@Nullable VhostException failure) {
    return failure == null ? null : String.valueOf(failure.getMessage());
  }

  /** A plan has ended. */
  void finished(Execution execution, Outcome outcome) {
    execution.record(outcome);
    if (!Observer.NONE.equals(observer)) { // execution.plan() makes an object
      Plan plan = execution.plan(); // a prepared execution may be another one's later
      notifyObserver(o -> o.planFinished(device, plan, outcome));
    }
  }

  /** The device goes on in another way than was asked for. */
  void fallback(String why) {
    if (recorded && FlightRecorder.isInitialized()) {
      var event = new FallbackEvent();
      event.device = device;
      event.why = why;
      event.commit();
    }
    notifyObserver(o -> o.fallback(device, why));
  }

  /** The connection is lost. */
  void lost(VhostException why) {
    notifyObserver(o -> o.lost(device, why));
  }

  /** An attempt to connect again begins; null if no recording runs. */
  @Nullable ReconnectEvent attempt() {
    if (!recorded || !FlightRecorder.isInitialized()) {
      return null;
    }
    var event = new ReconnectEvent();
    event.begin();
    return event;
  }

  /**
   * The attempt has ended.
   *
   * @param number from 1
   * @param why the earlier connection cannot be used any more
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
      notifyObserver(o -> o.reconnected(device, number));
    }
  }

  /** Calls the observer. If it throws, the device goes on. */
  private void notifyObserver(Consumer<Observer> event) {
    calls.execute(() -> {
      try {
        event.accept(observer);
      } catch (Throwable e) { // also an Error
        log.warn("{}: the observer failed", device, e);
      }
    });
  }
}
