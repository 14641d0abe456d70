package io.github.jvhost.vmstate;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a stream says about its machine.
 *
 * <pre>
 *   | 07 | n u32 | machine type n |
 *   subsections:  target-page-bits u32      capabilities count u32, count x { n u8, name n }      uuid 16
 * </pre>
 */
final class ConfigurationDescription {
  private static final int UUID_BYTES = 16;

  /** Far more than there are; a count from the stream must not be taken at its word. */
  private static final int MAX_CAPABILITIES = 256;

  /** The values while they are read or written. */
  private static final class Model {
    int machineLength;
    byte[] machine = {};
    @Nullable Integer targetPageBits;
    @Nullable List<String> capabilities;
    byte @Nullable [] uuid;
  }

  private static final Description<Model> CONFIGURATION =
      Description.<Model>named("configuration", 1)
          .u32("len", m -> m.machineLength, (m, v) -> m.machineLength = v)
          .bytes(
              "name",
              new FieldType.Count<>("len", m -> m.machineLength),
              m -> m.machine,
              (m, v) -> m.machine = v)
          .subsection(
              "the target's page size is not the usual one",
              Description.<Model>named("configuration/target-page-bits", 1)
                  .u32(
                      "target_page_bits",
                      m -> m.targetPageBits == null ? 0 : m.targetPageBits,
                      (m, v) -> m.targetPageBits = v)
                  .build(),
              m -> m.targetPageBits != null)
          .subsection(
              "a capability is on that both ends must have",
              Description.<Model>named("configuration/capabilities", 1)
                  .field(
                      "capabilities",
                      DescriptionBuilder.codec(
                          FieldType.group(
                              "u32 n, n names (length u8, bytes)",
                              ConfigurationDescription::layoutOfNames),
                          ConfigurationDescription::writeNames,
                          ConfigurationDescription::readNames))
                  .build(),
              m -> m.capabilities != null)
          .subsection(
              "both ends are to have the same",
              Description.<Model>named("configuration/uuid", 1)
                  .bytes(
                      "uuid",
                      FieldType.Count.fixed(UUID_BYTES),
                      m -> m.uuid == null ? new byte[UUID_BYTES] : m.uuid,
                      (m, v) -> m.uuid = v)
                  .build(),
              m -> m.uuid != null)
          .build();

  private ConfigurationDescription() {}

  static StreamRecord.Configuration read(VmReader in) {
    Model model = new Model();
    CONFIGURATION.read(in, model, CONFIGURATION.version());
    return new StreamRecord.Configuration(
        new String(model.machine, StandardCharsets.ISO_8859_1),
        model.targetPageBits == null ? OptionalInt.empty() : OptionalInt.of(model.targetPageBits),
        Optional.ofNullable(model.capabilities),
        Optional.ofNullable(model.uuid).map(ConfigurationDescription::uuid));
  }

  static void write(VmWriter out, StreamRecord.Configuration configuration) {
    CONFIGURATION.write(out, model(configuration), CONFIGURATION.version());
  }

  /** What {@link #write} writes, field by field. */
  static Layout.Structure layout(StreamRecord.Configuration configuration) {
    return CONFIGURATION.layout(model(configuration), CONFIGURATION.version());
  }

  private static Model model(StreamRecord.Configuration configuration) {
    Model model = new Model();
    model.machine = configuration.machine().getBytes(StandardCharsets.ISO_8859_1);
    model.machineLength = model.machine.length;
    configuration.targetPageBits().ifPresent(bits -> model.targetPageBits = bits);
    configuration.capabilities().ifPresent(names -> model.capabilities = names);
    configuration
        .uuid()
        .ifPresent(id ->
            model.uuid =
                ByteBuffer.allocate(UUID_BYTES)
                    .putLong(id.getMostSignificantBits())
                    .putLong(id.getLeastSignificantBits())
                    .array());
    return model;
  }

  private static UUID uuid(byte[] bytes) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    return new UUID(buffer.getLong(), buffer.getLong());
  }

  /** The type is one that readers of descriptions know: a length in one byte, then the name. */
  private static List<Layout.Named> layoutOfNames(Model model) {
    List<Layout.Named> fields = new ArrayList<>();
    fields.add(new Layout.Named("caps_count", new Layout.Leaf("uint32", Integer.BYTES)));
    for (String name : model.capabilities == null ? List.<String>of() : model.capabilities) {
      fields.add(
          new Layout.Named("capabilities", new Layout.Leaf("capability", 1 + name.length())));
    }
    return fields;
  }

  private static void writeNames(VmWriter out, Model model) {
    List<String> names = model.capabilities == null ? List.of() : model.capabilities;
    out.u32(names.size());
    for (String name : names) {
      out.name(name);
    }
  }

  private static void readNames(VmReader in, Model model) {
    long count = Integer.toUnsignedLong(in.u32());
    if (count > MAX_CAPABILITIES) {
      throw in.failure("at most " + MAX_CAPABILITIES + " capabilities, not " + count);
    }
    List<String> names = new ArrayList<>();
    for (long i = 0; i < count; i++) {
      names.add(in.name());
    }
    model.capabilities = names;
  }
}
