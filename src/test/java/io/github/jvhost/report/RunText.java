package io.github.jvhost.report;

/** A run as JSON text, with places for what a test wants to be odd. */
final class RunText {
  private RunText() {}

  /** Names that are everything a name should not be. */
  static final String ODD = "</text><script>alert(1)</script>\"'&\u202egnp\u0007 net\ud800";

  /** One run of one device. */
  static String of(String device) {
    return """
    {"runs": [{
      "presetup": %1$s, "devices": 1, "queuePairs": 1, "memoryBytes": 67108864,
      "backEnd": "mock", "personality": "generic", "hardwareModel": %1$s,
      "change": "none", "fail": "none", "ranOn": "destination",
      "stopWindow": {"sourceMicros": 200, "destinationMicros": 1500, "messages": 2, "waits": 1,
        "sourceMessages": 1, "sourceWaits": 1},
      "backEndConfigMicros": 400, "backEndConfigIsModelled": true,
      "ram": {"totalPages": 16384, "finalRoundPages": 3, "residentShare": 1, "checksumOk": true},
      "ping": {"sent": 10, "answered": 10, "droppedByBackEnd": 0, "lost": 0,
        "longestGapMicros": 2345, "inboundLongestGapMicros": null, "recovered": true},
      "phases": {"downtime": 2000, %1$s: 5},
      "plan": [{"device": %1$s, "field": %1$s, "from": null, "to": %1$s, "reason": %1$s}],
      "timeLine": {
        "moments": [{"name": "pausing", "nanos": 5000000},
          {"name": "paused", "nanos": 5050000}, {"name": "stopped", "nanos": 5200000},
          {"name": "final", "nanos": 5400000}, {"name": "restored", "nanos": 5500000},
          {"name": "started", "nanos": 6900000}, {"name": "resumed", "nanos": 7000000}],
        "lanes": [
          {"side": "source", "device": %1$s, "messages": [
            {"nanos": 5100000, "name": "GET_VRING_BASE", "payload": "vq=0 num=0",
              "answered": true, "descriptors": 0, "connection": 1}], "modelledWork": []},
          {"side": "destination", "device": %1$s, "messages": [
            {"nanos": -100, "name": %1$s, "payload": %1$s,
              "answered": false, "descriptors": 1, "connection": 1},
            {"nanos": 5600000, "name": "SET_VRING_BASE", "payload": "vq=0 num=80",
              "answered": false, "descriptors": 0, "connection": 1},
            {"nanos": 5700000, "name": "GET_STATUS", "payload": "",
              "answered": true, "descriptors": 0, "connection": 1}],
            "modelledWork": [{"nanos": 5700000, "micros": 400, "what": %1$s}]}]},
      "fallback": %1$s, "problems": [%1$s], "somethingNewer": {"deep": [1, 2.5]}
    }]}
    """
        .formatted(quoted(device));
  }

  private static String quoted(String text) {
    var json = new StringBuilder("\"");
    text.chars().forEach(c -> json.append(String.format("\\u%04x", c)));
    return json.append('"').toString();
  }
}
