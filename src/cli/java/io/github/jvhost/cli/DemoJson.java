package io.github.jvhost.cli;

import io.github.jvhost.testkit.scenario.RunResult;
import io.github.jvhost.testkit.scenario.ScenarioOptions;
import io.github.jvhost.testkit.scenario.ScenarioOptions.BackEndKind;
import io.github.jvhost.testkit.scenario.TimeLine;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The results of a demo as JSON. */
final class DemoJson {
  private DemoJson() {}

  static Shown of(List<RunResult> results) {
    return new Shown().json("runs", results, DemoJson::run);
  }

  private static Shown run(RunResult r) {
    ScenarioOptions o = r.options();
    var phases = new Shown();
    r.phases().forEach(phases::json);
    return new Shown()
        .json("presetup", o.variant().label())
        .json("devices", o.devices())
        .json("queuePairs", o.queuePairs())
        .json("memoryBytes", o.memoryBytes())
        .json("backEnd", DemoTable.backEnd(o))
        // Only the mock has these two.
        .json("personality", o.backEnd() != BackEndKind.MOCK ? null : Words.label(o.personality()))
        .json("hardwareModel", o.backEnd() != BackEndKind.MOCK ? null : o.hardware().name())
        .json("change", Words.label(o.change()))
        .json("fail", Words.label(o.failure()))
        .json("ranOn", r.ranOn())
        .json(
            "stopWindow",
            new Shown()
                .json("sourceMicros", r.sourceMicros())
                .json("destinationMicros", r.destinationMicros())
                .json("messages", r.messages())
                .json("waits", r.waits())
                .json("sourceMessages", r.sourceMessages())
                .json("sourceWaits", r.sourceWaits()))
        // This is modelled, not measured: the time that the mock back end's hardware model took in
        // the window.
        .json("backEndConfigMicros", r.backEndConfigMicros())
        .json("backEndConfigIsModelled", o.backEnd() == BackEndKind.MOCK)
        .json(
            "ram",
            new Shown()
                .json("totalPages", r.totalPages())
                .json("finalRoundPages", r.finalRoundPages())
                .json("residentShare", r.residentShare())
                .json("checksumOk", r.checksumOk()))
        .json("ping", ping(r))
        .json("iotlb", iotlb(r.iotlb()))
        .json("phases", phases)
        .json("plan", r.plan(), DemoJson::step)
        .json(
            "timeLine",
            new Shown()
                .json("moments", r.timeLine().moments(), DemoJson::moment)
                .json("lanes", r.timeLine().lanes(), DemoJson::lane))
        .json("fallback", r.fallback())
        .json("problems", r.problems());
  }

  private static Shown ping(RunResult r) {
    var shown =
        new Shown().json("sent", r.outbound().sent()).json("answered", r.outbound().answered());
    RunResult.Pings inbound = r.inbound();
    if (inbound != null) {
      shown.json("inboundSent", inbound.sent()).json("inboundAnswered", inbound.answered());
    }
    return shown
        .json("droppedByBackEnd", r.droppedByBackEnd())
        .json("lost", r.lost())
        .json("longestGapMicros", r.longestGapMicros())
        .json("inboundLongestGapMicros", r.inboundLongestGapMicros())
        .json("recovered", r.recovered());
  }

  private static @Nullable Shown iotlb(RunResult.@Nullable Iotlb iotlb) {
    return iotlb == null
        ? null
        : new Shown()
            .json("toldEarly", iotlb.toldEarly())
            .json("toldInWindow", iotlb.toldInWindow())
            .json("missesInWindow", iotlb.missesInWindow())
            .json("missesAfter", iotlb.missesAfter())
            .json("framesLost", iotlb.framesLost())
            .json("widened", iotlb.widened());
  }

  private static Shown step(RunResult.DeviceStep step) {
    return new Shown()
        .json("device", step.device())
        .json("field", step.field())
        .json("from", step.before())
        .json("to", step.after())
        .json("reason", step.reason());
  }

  private static Shown moment(TimeLine.Moment moment) {
    return new Shown().json("name", moment.name()).json("nanos", moment.nanos());
  }

  private static Shown lane(TimeLine.Lane lane) {
    return new Shown()
        .json("side", lane.side())
        .json("device", lane.device())
        .json("messages", lane.messages(), DemoJson::message)
        .json("modelledWork", lane.charges(), DemoJson::charge);
  }

  private static Shown message(TimeLine.Told told) {
    return new Shown()
        .json("nanos", told.nanos())
        .json("name", told.name())
        .json("payload", told.payload())
        .json("answered", told.answered())
        .json("descriptors", told.descriptors())
        .json("connection", told.connection());
  }

  private static Shown charge(TimeLine.Charge charge) {
    return new Shown()
        .json("nanos", charge.nanos())
        .json("micros", charge.micros())
        .json("what", charge.what());
  }
}
