package io.github.jvhost.vmstate;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Finds the fields of a section by nothing but the description at the end of its stream, as an
 * analysing tool does that knows no device.
 */
final class DescriptionFollower {
  private final ByteBuffer in;
  private final Map<String, String> found = new LinkedHashMap<>();

  private DescriptionFollower(ByteBuffer in) {
    this.in = in;
  }

  /**
   * Values as hex digits by path: "virtio/virtio-net-device/mac". What is left of the section is
   * under the path "".
   */
  static Map<String, String> follow(Map<String, Object> described, byte[] section) {
    var follower = new DescriptionFollower(ByteBuffer.wrap(section));
    follower.structure("", described);
    follower.found.put("", follower.hex(follower.in.remaining()));
    return follower.found;
  }

  private void structure(String path, Map<String, Object> structure) {
    for (Object field : JsonValues.list(structure.get("fields"))) {
      field(path, JsonValues.object(field));
    }
    if (structure.containsKey("subsections")) {
      for (Object subsection : JsonValues.list(structure.get("subsections"))) {
        subsection(path, JsonValues.object(subsection));
      }
    }
  }

  private void subsection(String path, Map<String, Object> described) {
    String name = String.valueOf(described.get("vmsd_name"));
    byte[] bytes = new byte[2 + name.length()];
    in.get(bytes);
    String header = "\005" + (char) name.length() + name;
    if (!new String(bytes, StandardCharsets.ISO_8859_1).equals(header)) {
      throw new AssertionError("no subsection " + name + " at " + in.position());
    }
    found.put(path + name + "/version", hex(4));
    structure(path + name + "/", described);
  }

  private void field(String path, Map<String, Object> field) {
    if (!field.containsKey("array_len")) {
      value(path + field.get("name"), field);
      return;
    }
    for (int i = 0; i < JsonValues.number(field.get("array_len")); i++) {
      value(path + field.get("name") + "[" + i + "]", field);
    }
  }

  private void value(String path, Map<String, Object> field) {
    int size = (int) JsonValues.number(field.get("size"));
    int from = in.position();
    if (field.containsKey("struct")) {
      structure(path + "/", JsonValues.object(field.get("struct")));
      if (in.position() - from != size) {
        throw new AssertionError(path + " has " + (in.position() - from) + " bytes, not " + size);
      }
    } else if (found.put(path, hex(size)) != null) {
      throw new AssertionError("twice " + path);
    }
  }

  private String hex(int size) {
    byte[] bytes = new byte[size];
    in.get(bytes);
    return HexFormat.of().formatHex(bytes);
  }
}
