package io.github.jvhost.mediate.peer;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.peer.Hint.Content;
import io.github.jvhost.mediate.peer.Hint.Region;
import io.github.jvhost.mediate.peer.Hint.Ring;
import io.github.jvhost.mediate.peer.Hint.What;
import io.github.jvhost.vhost.plan.RingAddresses;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A hint, or a sign of life, as a line of JSON. The package's description has the fields. */
final class HintJson {
  private static final int VERSION = 1;
  private static final String ALIVE = "alive";
  private static final Pattern FEATURES = Pattern.compile("0x[0-9a-fA-F]{1,16}");

  private static final StreamReadConstraints LIMITS =
      StreamReadConstraints.builder()
          .maxNestingDepth(8)
          .maxNameLength(256)
          .maxNumberLength(32)
          .maxStringLength(4096)
          .build();

  private HintJson() {}

  /** The line that says that the sender is there. */
  static byte[] alive() {
    return line(json -> json.writeStringField("what", ALIVE));
  }

  static byte[] line(Hint hint) {
    return line(json -> {
      json.writeStringField("what", nameOf(hint.what()));
      json.writeStringField("nic", hint.nic());
      json.writeNumberField("generation", hint.generation());
      Content content = hint.content();
      if (content != null) {
        write(json, content);
      }
    });
  }

  private interface Members {
    void write(JsonGenerator json) throws IOException;
  }

  private static byte[] line(Members members) {
    var out = new ByteArrayOutputStream();
    try (JsonGenerator json = factory().createGenerator(out, JsonEncoding.UTF8)) {
      json.writeStartObject();
      json.writeNumberField("version", VERSION);
      members.write(json);
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a byte array never fails
    }
    out.write('\n');
    return out.toByteArray();
  }

  private static void write(JsonGenerator json, Content content) throws IOException {
    json.writeStringField("features", "0x" + HexFormat.of().toHexDigits(content.features()));
    if (content.mtu() != null) {
      json.writeNumberField("mtu", content.mtu());
    }
    json.writeArrayFieldStart("regions");
    for (Region region : content.regions()) {
      json.writeStartObject();
      json.writeNumberField("guestAddress", region.guestAddress());
      json.writeNumberField("size", region.size());
      json.writeNumberField("offset", region.fileOffset());
      json.writeNumberField("file", region.file());
      json.writeNumberField("fileSize", region.fileSize());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeArrayFieldStart("rings");
    for (Ring ring : content.rings()) {
      json.writeStartObject();
      json.writeNumberField("ring", ring.number());
      json.writeNumberField("size", ring.size());
      json.writeNumberField("desc", ring.addresses().descriptor());
      json.writeNumberField("used", ring.addresses().used());
      json.writeNumberField("avail", ring.addresses().available());
      json.writeBooleanField("enabled", ring.enabled());
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  /**
   * Reads one line.
   *
   * @return the hint; empty if it is a sign of life
   * @throws VhostException (GIVE_UP) for everything else
   */
  static Optional<Hint> parse(byte[] line) {
    if (line.length > Hint.MOST_BYTES) {
      throw Hint.wrong(line.length + " bytes are more than " + Hint.MOST_BYTES);
    }
    try (JsonParser json = factory().createParser(text(line))) {
      expect(json, json.nextToken(), JsonToken.START_OBJECT);
      Optional<Hint> hint = message(json);
      if (json.nextToken() != null) {
        throw Hint.wrong("something follows the object");
      }
      return hint;
    } catch (IOException e) {
      throw new VhostException(
          "a hint about a NIC is refused: it is not the JSON that belongs here: " + firstLine(e),
          Recovery.GIVE_UP,
          e);
    }
  }

  /** The parser would guess an encoding from the first bytes; here it is always UTF-8. */
  private static String text(byte[] line) throws IOException {
    return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(line)).toString();
  }

  /** Names of a peer's fields do not stay in a table of the parser or of the JVM. */
  private static JsonFactory factory() {
    return JsonFactory.builder()
        .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
        .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
        .streamReadConstraints(LIMITS)
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .build();
  }

  private static Optional<Hint> message(JsonParser json) throws IOException {
    if (json.nextToken() != JsonToken.FIELD_NAME || !"version".equals(json.currentName())) {
      throw Hint.wrong("its first field is not the version");
    }
    json.nextToken();
    long version = number(json, "version");
    if (version != VERSION) {
      throw Hint.wrong(
          "it is of version %d, and this mediator knows version %d; both hosts need the same one"
              .formatted(version, VERSION));
    }
    String what = null;
    String nic = null;
    Long generation = null;
    Long features = null;
    Integer mtu = null;
    List<Region> regions = null;
    List<Ring> rings = null;
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String field = field(json);
      switch (field) {
        case "what" -> what = string(json, field);
        case "nic" -> nic = string(json, field);
        case "generation" -> generation = number(json, field);
        case "features" -> features = features(json);
        case "mtu" -> mtu = small(json, field);
        case "regions" -> regions = list(json, field, Hint.MOST_REGIONS, HintJson::region);
        case "rings" -> rings = list(json, field, Hint.MOST_RINGS, HintJson::ring);
        default -> json.skipChildren();
      }
    }
    if (ALIVE.equals(what)) {
      return Optional.empty();
    }
    What kind = kindOf(present("what", what));
    Content content =
        kind != What.CONFIGURATION
            ? null
            : new Content(
                present("features", features),
                mtu,
                present("regions", regions),
                present("rings", rings));
    return Optional.of(
        new Hint(present("nic", nic), present("generation", generation), kind, content));
  }

  private static String nameOf(What what) {
    return switch (what) {
      case CONFIGURATION -> "configuration";
      case CANCELLED -> "cancelled";
      case GONE -> "gone";
    };
  }

  private static What kindOf(String name) {
    for (What what : What.values()) {
      if (nameOf(what).equals(name)) {
        return what;
      }
    }
    throw Hint.wrong("it says what is none of configuration, cancelled, gone, alive");
  }

  private static Region region(JsonParser json) throws IOException {
    Long guestAddress = null;
    Long size = null;
    Long offset = null;
    Integer file = null;
    Long fileSize = null;
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String field = field(json);
      switch (field) {
        case "guestAddress" -> guestAddress = number(json, field);
        case "size" -> size = number(json, field);
        case "offset" -> offset = number(json, field);
        case "file" -> file = small(json, field);
        case "fileSize" -> fileSize = number(json, field);
        default -> json.skipChildren();
      }
    }
    return new Region(
        present("guestAddress", guestAddress),
        present("size", size),
        present("offset", offset),
        present("file", file),
        present("fileSize", fileSize));
  }

  private static Ring ring(JsonParser json) throws IOException {
    Integer number = null;
    Integer size = null;
    Long desc = null;
    Long used = null;
    Long avail = null;
    Boolean enabled = null;
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String field = field(json);
      switch (field) {
        case "ring" -> number = small(json, field);
        case "size" -> size = small(json, field);
        case "desc" -> desc = number(json, field);
        case "used" -> used = number(json, field);
        case "avail" -> avail = number(json, field);
        case "enabled" -> enabled = truth(json, field);
        default -> json.skipChildren();
      }
    }
    return new Ring(
        present("ring", number),
        present("size", size),
        new RingAddresses(present("desc", desc), present("used", used), present("avail", avail)),
        present("enabled", enabled));
  }

  private interface Element<T> {
    T read(JsonParser json) throws IOException;
  }

  private static <T> List<T> list(JsonParser json, String field, int most, Element<T> element)
      throws IOException {
    if (json.currentToken() != JsonToken.START_ARRAY) {
      throw Hint.wrong(field + " is no array");
    }
    List<T> list = new ArrayList<>();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      if (list.size() == most) {
        throw Hint.wrong("there are more than %d %s".formatted(most, field));
      }
      expect(json, json.currentToken(), JsonToken.START_OBJECT);
      list.add(element.read(json));
    }
    return list;
  }

  /** The name of a member. Afterwards its value is the current token. */
  private static String field(JsonParser json) throws IOException {
    expect(json, json.currentToken(), JsonToken.FIELD_NAME);
    String name = json.currentName();
    json.nextToken();
    return name;
  }

  private static String string(JsonParser json, String field) throws IOException {
    if (json.currentToken() != JsonToken.VALUE_STRING) {
      throw Hint.wrong(field + " is no string");
    }
    return json.getText();
  }

  private static long number(JsonParser json, String field) throws IOException {
    if (json.currentToken() != JsonToken.VALUE_NUMBER_INT) {
      throw Hint.wrong(field + " is no integer");
    }
    return json.getLongValue();
  }

  private static int small(JsonParser json, String field) throws IOException {
    long value = number(json, field);
    Hint.between(field, value, Integer.MIN_VALUE, Integer.MAX_VALUE);
    return (int) value;
  }

  private static boolean truth(JsonParser json, String field) throws IOException {
    if (!json.currentToken().isBoolean()) {
      throw Hint.wrong(field + " is neither true nor false");
    }
    return json.getBooleanValue();
  }

  private static long features(JsonParser json) throws IOException {
    String text = string(json, "features");
    if (!FEATURES.matcher(text).matches()) {
      throw Hint.wrong("features is not 0x and 1 to 16 hexadecimal digits");
    }
    return Long.parseUnsignedLong(text, 2, text.length(), 16);
  }

  private static <T> T present(String field, @Nullable T value) {
    if (value == null) {
      throw Hint.wrong("it has no " + field);
    }
    return value;
  }

  private static void expect(JsonParser json, @Nullable JsonToken found, JsonToken expected) {
    if (found != expected) {
      throw Hint.wrong(
          "%s where %s belongs, at character %d"
              .formatted(found, expected, json.currentTokenLocation().getCharOffset()));
    }
  }

  /** Messages of the parser have a second line with a location, and may quote what came. */
  private static String firstLine(IOException e) {
    String message = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    StringBuilder clean = new StringBuilder();
    message.chars().limit(200).forEach(c -> clean.append(c < ' ' || c > '~' ? '?' : (char) c));
    return clean.toString();
  }
}
