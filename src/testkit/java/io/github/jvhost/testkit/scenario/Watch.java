package io.github.jvhost.testkit.scenario;

import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.SourceReport;
import io.github.jvhost.testkit.BackEndRecord;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.testkit.scenario.TimeLine.Charge;
import io.github.jvhost.testkit.scenario.TimeLine.Lane;
import io.github.jvhost.testkit.scenario.TimeLine.Moment;
import io.github.jvhost.testkit.scenario.TimeLine.Told;
import io.github.jvhost.testkit.trace.MessageLine;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Combines the reports of both hosts and the records of the back ends into one time line.
 *
 * @param begunNanos when the migration began, on the clock of {@link System#nanoTime()}
 */
record Watch(long begunNanos) {

  TimeLine timeLine(
      @Nullable SourceReport left,
      @Nullable DestinationReport arrived,
      List<String> devices,
      BackEnds backEnds) {
    return new TimeLine(moments(left, arrived), lanes(devices, backEnds));
  }

  private List<Moment> moments(@Nullable SourceReport left, @Nullable DestinationReport arrived) {
    List<Moment> moments = new ArrayList<>();
    if (left != null) {
      moments.add(moment("pausing", left.pausingNanos()));
      moments.add(moment("paused", left.pausedNanos()));
      moments.add(moment("stopped", left.stoppedNanos()));
    }
    if (arrived != null) {
      moments.add(moment("final", arrived.finalNanos()));
      moments.add(moment("lastFinal", arrived.lastFinalNanos()));
      moments.add(moment("restored", arrived.restoredNanos()));
      moments.add(moment("started", arrived.startedNanos()));
      moments.add(moment("resumed", arrived.resumedNanos()));
    }
    return moments;
  }

  private Moment moment(String name, long nanos) {
    return new Moment(name, nanos - begunNanos);
  }

  private List<Lane> lanes(List<String> devices, BackEnds backEnds) {
    List<Lane> lanes = new ArrayList<>();
    for (BackEnds.Side side : BackEnds.Side.values()) {
      for (int i = 0; i < devices.size(); i++) {
        MockBackEnd backEnd = backEnds.mock(side, i);
        if (backEnd != null) {
          lanes.add(lane(side, devices.get(i), backEnd.record()));
        }
      }
    }
    return lanes;
  }

  private static boolean isAnswered(RecordedMessage m) {
    // Mock back ends negotiate all features on which an explicit answer depends.
    return m.needReply() || (m.request() != null && m.request().explicitReply(-1).isPresent());
  }

  private Lane lane(BackEnds.Side side, String device, BackEndRecord record) {
    List<Told> messages =
        record.messages().stream()
            .map(m ->
                new Told(
                    m.nanos() - begunNanos,
                    m.name(),
                    MessageLine.of(m.payload()),
                    isAnswered(m),
                    m.descriptors(),
                    m.connection()))
            .toList();
    List<Charge> charges =
        record.charges().stream()
            .map(c -> new Charge(c.startNanos() - begunNanos, c.micros(), c.what()))
            .toList();
    return new Lane(side.label(), device, messages, charges);
  }
}
