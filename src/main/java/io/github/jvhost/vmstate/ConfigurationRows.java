package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.vmstate.StreamRecord.Configuration;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;

/**
 * The rows of {@link Configuration}: the machine of a stream.
 *
 * <pre>
 *   | 07 | n u32 | machine type n |
 *   subsections:  target-page-bits u32      capabilities count u32, count x { n u8, name n }      uuid 16
 * </pre>
 */
final class ConfigurationRows {
  private static final int UUID_BYTES = 16;

  /** Far more than exist. A count from the stream is not trusted. */
  private static final int MAX_CAPABILITIES = 256;

  private static final Wire<List<String>> NAMES =
      new Wire<>(
          "u32 n, n names (length u8, bytes)",
          List.of(),
          ConfigurationRows::layoutOfNames,
          ConfigurationRows::writeNames,
          (in, _) -> readNames(in));

  private static final Row<Configuration, Integer> MACHINE_LENGTH =
      Row.of("len", Wire.U32, c -> c.machine().length());

  private static final Row<Configuration, String> MACHINE =
      Row.<Configuration, String>of(
              "name",
              Wire.BYTES.as(
                  bytes -> new String(bytes.toArray(), StandardCharsets.ISO_8859_1),
                  text -> Bytes.copyOf(text.getBytes(StandardCharsets.ISO_8859_1)),
                  ""),
              Configuration::machine)
          .times("len", d -> Integer.toUnsignedLong(d.get(MACHINE_LENGTH)));

  private static final Row<Configuration, OptionalInt> PAGE_BITS =
      Row.of(
          "target_page_bits",
          Wire.U32.as(OptionalInt::of, OptionalInt::getAsInt, OptionalInt.empty()),
          Configuration::targetPageBits);

  private static final Row<Configuration, Optional<List<String>>> CAPABILITIES =
      Row.of("capabilities", NAMES.optional(), Configuration::capabilities);

  private static final Row<Configuration, Optional<UUID>> MACHINE_ID =
      Row.<Configuration, Optional<UUID>>of(
              "uuid",
              Wire.BYTES
                  .as(ConfigurationRows::uuid, ConfigurationRows::bytes, new UUID(0, 0))
                  .optional(),
              Configuration::uuid)
          .times(UUID_BYTES);

  private static final Description<Configuration> CONFIGURATION =
      Description.<Configuration>named("configuration", 1)
          .rows(MACHINE_LENGTH, MACHINE)
          .subsection(
              "the target's page size is not the usual one",
              part("target-page-bits", PAGE_BITS),
              d -> d.get(PAGE_BITS).isPresent())
          .subsection(
              "a capability is on that both ends must have",
              part("capabilities", CAPABILITIES),
              d -> d.get(CAPABILITIES).isPresent())
          .subsection(
              "both ends are to have the same",
              part("uuid", MACHINE_ID),
              d -> d.get(MACHINE_ID).isPresent())
          .build();

  private ConfigurationRows() {}

  static Configuration read(VmReader in) {
    Draft<Configuration> draft = Draft.empty();
    CONFIGURATION.read(in, draft, CONFIGURATION.version());
    return new Configuration(
        draft.get(MACHINE), draft.get(PAGE_BITS), draft.get(CAPABILITIES), draft.get(MACHINE_ID));
  }

  static void write(VmWriter out, Configuration configuration) {
    CONFIGURATION.write(out, Draft.of(configuration), CONFIGURATION.version());
  }

  /** The layout of what {@link #write} writes, field by field. */
  static Layout.Structure layout(Configuration configuration) {
    return CONFIGURATION.layout(Draft.of(configuration), CONFIGURATION.version());
  }

  private static Description<Configuration> part(String name, Row<Configuration, ?> row) {
    return Description.<Configuration>named("configuration/" + name, 1).rows(row).build();
  }

  private static UUID uuid(Bytes bytes) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes.toArray());
    return new UUID(buffer.getLong(), buffer.getLong());
  }

  private static Bytes bytes(UUID id) {
    return Bytes.copyOf(
        ByteBuffer.allocate(UUID_BYTES)
            .putLong(id.getMostSignificantBits())
            .putLong(id.getLeastSignificantBits())
            .flip());
  }

  /** Readers of descriptions know the type "capability": a length in one byte, then the name. */
  private static Layout layoutOfNames(List<String> names) {
    List<Layout.Named> fields = new ArrayList<>();
    fields.add(new Layout.Named("caps_count", new Layout.Leaf("uint32", Integer.BYTES)));
    for (String name : names) {
      fields.add(
          new Layout.Named("capabilities", new Layout.Leaf("capability", 1 + name.length())));
    }
    return new Layout.Group(fields);
  }

  private static void writeNames(VmWriter out, List<String> names) {
    out.u32(names.size());
    names.forEach(out::name);
  }

  private static List<String> readNames(VmReader in) {
    long count = Integer.toUnsignedLong(in.u32());
    if (count > MAX_CAPABILITIES) {
      throw in.failure("at most " + MAX_CAPABILITIES + " capabilities, not " + count);
    }
    List<String> names = new ArrayList<>();
    for (long i = 0; i < count; i++) {
      names.add(in.name());
    }
    return names;
  }
}
