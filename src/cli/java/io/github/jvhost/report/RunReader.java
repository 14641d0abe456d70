package io.github.jvhost.report;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads runs from JSON. It ignores unknown members, so that it can read the file of a newer demo.
 * Members that it needs must exist.
 */
final class RunReader {
  /**
   * The longest time: an hour. A longer one is an error in the file, and sums of such times could
   * overflow.
   */
  private static final long MAX_NANOS = 3_600_000_000_000L;

  private RunReader() {}

  static List<Run> runs(Json top) {
    List<Json> runs = top.at("runs").elements();
    if (runs.isEmpty()) {
      throw new VhostException("runs is empty: nothing was migrated", Recovery.GIVE_UP);
    }
    return runs.stream().map(RunReader::run).toList();
  }

  private static Run run(Json run) {
    return new Run(
        run.at("presetup").text(),
        setting(run),
        run.at("ranOn").text(),
        window(run),
        ram(run.at("ram")),
        ping(run.at("ping")),
        run.has("iotlb") && !run.at("iotlb").isNull() ? iotlb(run.at("iotlb")) : null,
        phases(run.at("phases")),
        run.at("plan").elements().stream().map(RunReader::step).toList(),
        timeLine(run.at("timeLine")),
        run.at("fallback").textOrNull(),
        run.at("problems").elements().stream().map(Json::text).toList());
  }

  private static Run.Setting setting(Json run) {
    return new Run.Setting(
        run.at("devices").count(),
        run.at("queuePairs").count(),
        run.at("memoryBytes").count(),
        run.at("backEnd").text(),
        run.at("personality").textOrNull(),
        run.at("hardwareModel").textOrNull(),
        run.at("change").text(),
        run.at("fail").text());
  }

  private static Run.Window window(Json run) {
    Json window = run.at("stopWindow");
    return new Run.Window(
        micros(window.at("sourceMicros")),
        micros(window.at("destinationMicros")),
        window.at("messages").count(),
        window.at("waits").count(),
        window.at("sourceMessages").count(),
        window.at("sourceWaits").count(),
        micros(run.at("backEndConfigMicros")),
        run.at("backEndConfigIsModelled").truth());
  }

  private static Run.Ram ram(Json ram) {
    return new Run.Ram(
        ram.at("totalPages").count(),
        ram.at("finalRoundPages").count(),
        ram.at("residentShare").share(),
        ram.at("checksumOk").truth());
  }

  private static Run.Ping ping(Json ping) {
    return new Run.Ping(
        ping.at("sent").count(),
        ping.at("answered").count(),
        optional(ping, "inboundSent"),
        optional(ping, "inboundAnswered"),
        ping.at("droppedByBackEnd").count(),
        ping.at("lost").count(),
        micros(ping.at("longestGapMicros")),
        optional(ping, "inboundLongestGapMicros"),
        ping.at("recovered").truth());
  }

  private static Run.Iotlb iotlb(Json iotlb) {
    return new Run.Iotlb(
        iotlb.at("toldEarly").count(),
        iotlb.at("toldInWindow").count(),
        iotlb.at("missesInWindow").count(),
        iotlb.at("missesAfter").count(),
        optional(iotlb, "framesLost"),
        iotlb.at("widened").count());
  }

  private static @Nullable Long optional(Json object, String name) {
    return object.has(name) ? object.at(name).countOrNull() : null;
  }

  private static Map<String, Long> phases(Json phases) {
    Map<String, Long> micros = new LinkedHashMap<>();
    phases.members().forEach((name, value) -> micros.put(name, micros(value)));
    return micros;
  }

  private static Run.Step step(Json step) {
    return new Run.Step(
        step.at("device").text(),
        step.at("field").text(),
        step.at("from").textOrNull(),
        step.at("to").textOrNull(),
        step.at("reason").text());
  }

  private static Run.TimeLine timeLine(Json line) {
    Map<String, Long> moments = new LinkedHashMap<>();
    long last = -MAX_NANOS;
    for (Json moment : line.at("moments").elements()) {
      long nanos = nanos(moment.at("nanos"));
      if (nanos < last) {
        throw new VhostException("timeLine.moments are not in order", Recovery.GIVE_UP);
      }
      last = nanos;
      moments.put(moment.at("name").text(), nanos);
    }
    return new Run.TimeLine(
        moments, line.at("lanes").elements().stream().map(RunReader::lane).toList());
  }

  private static Run.Lane lane(Json lane) {
    return new Run.Lane(
        lane.at("side").text(),
        lane.at("device").text(),
        lane.at("messages").elements().stream().map(RunReader::message).toList(),
        lane.at("modelledWork").elements().stream().map(RunReader::work).toList());
  }

  private static Run.Message message(Json message) {
    return new Run.Message(
        nanos(message.at("nanos")),
        message.at("name").text(),
        message.at("payload").text(),
        message.at("answered").truth(),
        message.at("descriptors").count(),
        message.at("connection").count());
  }

  private static Run.Work work(Json work) {
    return new Run.Work(nanos(work.at("nanos")), micros(work.at("micros")), work.at("what").text());
  }

  private static long nanos(Json time) {
    return bounded(time.number());
  }

  private static long micros(Json span) {
    bounded(Math.min(span.count(), MAX_NANOS) * 1_000);
    return span.count();
  }

  private static long bounded(long nanos) {
    if (nanos < -MAX_NANOS || nanos > MAX_NANOS) {
      throw new VhostException("a time is longer than an hour", Recovery.GIVE_UP);
    }
    return nanos;
  }
}
