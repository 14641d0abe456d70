package io.github.jvhost.testkit.trace;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Dialect;
import java.io.IOException;
import java.io.Writer;
import java.time.Instant;

/**
 * Writes a capture while it is recorded: one JSON object per line, so that the file can be read at
 * any time, also after a crash.
 *
 * <pre>
 *   {"jvhostCapture":1,"listen":"/run/a","connect":"/run/b","started":"2026-...Z","dialect":"UPSTREAM"}
 *   {"ns":0,"session":1,"event":"connected"}
 *   {"ns":812,"held":9,"session":1,"way":"TO_BACK_END","id":1,"flags":1,"size":0,"fds":0,"name":"GET_FEATURES"}
 *   {"ns":900,"held":8,"session":1,"way":"TO_FRONT_END","id":1,"flags":5,"size":8,"fds":0,
 *    "name":"GET_FEATURES","payload":"0000000070010000"}           (on one line)
 *   {"ns":999,"held":5,"session":1,"way":"TO_BACK_END","raw":true,"size":77,"fds":0}
 *   {"ns":1234,"session":1,"event":"ended","why":"the front end closed the connection"}
 *
 *   ns        nanoseconds since "started"        held     how many of them the proxy had it
 *   way       a RelayRoute                       fds      a number: descriptors are not kept
 *   payload   as on the wire, in hex, in this host's byte order; left out where it is empty, or
 *             may be secret (crypto sessions). Messages carry no guest memory, so neither does this
 *   presetup  in the first line, of a dialect with numbers of its own: [bit, id]
 *   name      for people; a reader takes it from the id
 * </pre>
 *
 * <p>Used by one thread at a time. It owns its writer.
 */
public final class CaptureWriter implements AutoCloseable {
  /** The version of the format. */
  static final int VERSION = 1;

  private final JsonFactory factory = new JsonFactory();
  private final Writer out;

  private CaptureWriter(Writer out) {
    this.out = out;
  }

  private interface Members {
    void to(JsonGenerator json) throws IOException;
  }

  /**
   * Writes the first line.
   *
   * @param out receives the capture; the new object owns it
   * @param listen the path to which front ends connect
   * @param connect the path at which the back end listens
   * @param started when the capture began; the times of entries count from this moment
   * @param dialect the dialect in which numbers are read
   * @return the writer for the entries, which the caller has to close
   * @throws VhostException (GIVE_UP) if that fails; the writer is closed then
   */
  public static CaptureWriter begin(
      Writer out, String listen, String connect, Instant started, Dialect dialect) {
    var writer = new CaptureWriter(out);
    try {
      writer.line(json -> {
        json.writeNumberField("jvhostCapture", VERSION);
        json.writeStringField("listen", listen);
        json.writeStringField("connect", connect);
        json.writeStringField("started", started.toString());
        json.writeStringField("dialect", dialect.name());
        if (dialect.presetup().isPresent()) {
          json.writeArrayFieldStart("presetup");
          json.writeNumber(dialect.presetup().get().bit());
          json.writeNumber(dialect.presetup().get().id());
          json.writeEndArray();
        }
      });
      return writer;
    } catch (VhostException e) {
      try (out) {
        throw e;
      } catch (IOException close) {
        throw e;
      }
    }
  }

  /**
   * Writes one entry.
   *
   * @param entry the next entry, in order of time
   * @throws VhostException (GIVE_UP) if that fails
   */
  public void write(CaptureEntry entry) {
    line(json -> {
      json.writeNumberField("ns", entry.nanos());
      switch (entry) {
        case CaptureEvent event -> {
          json.writeNumberField("session", event.session());
          json.writeStringField("event", event.connected() ? "connected" : "ended");
          if (!event.connected()) {
            json.writeStringField("why", event.why());
          }
        }
        case CapturedMessage message -> message(json, message);
      }
    });
  }

  private static void message(JsonGenerator json, CapturedMessage message) throws IOException {
    json.writeNumberField("held", message.held());
    json.writeNumberField("session", message.session());
    json.writeStringField("way", message.route().name());
    if (message.raw()) {
      json.writeBooleanField("raw", true);
    } else {
      json.writeNumberField("id", Integer.toUnsignedLong(message.id()));
      json.writeNumberField("flags", Integer.toUnsignedLong(message.flags()));
    }
    json.writeNumberField("size", message.size());
    json.writeNumberField("fds", message.descriptors());
    if (!message.raw()) {
      json.writeStringField("name", message.name());
      if (message.content().size() > 0) {
        json.writeStringField("payload", message.content().toHex());
      }
    }
  }

  private void line(Members members) {
    try {
      JsonGenerator json = factory.createGenerator(out);
      json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
      json.disable(JsonGenerator.Feature.FLUSH_PASSED_TO_STREAM);
      json.writeStartObject();
      members.to(json);
      json.writeEndObject();
      json.close();
      out.write('\n');
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /**
   * Passes everything that was written to the operating system.
   *
   * @throws VhostException (GIVE_UP) if that fails
   */
  public void flush() {
    try {
      out.flush();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private static VhostException failed(IOException e) {
    return new VhostException("writing the capture: " + e.getMessage(), Recovery.GIVE_UP, e);
  }

  /**
   * Closes the writer. A second call does nothing.
   *
   * @throws VhostException (GIVE_UP) if the last entries could not be written
   */
  @Override
  public void close() {
    try {
      out.close();
    } catch (IOException e) {
      throw failed(e);
    }
  }
}
