package io.github.jvhost.vmstate;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** The sections of a stream so far, and those in parts that have not ended. */
final class StreamSections {
  private record Identity(String idstr, int instance) {}

  private final Set<Identity> seen = new HashSet<>();
  private final Map<Integer, SectionHeader> open = new HashMap<>();

  /** Reads a header, after its type byte. */
  SectionHeader read(VmReader in, SectionHeader.Part part) {
    in.enter("header");
    int id = in.u32();
    SectionHeader header =
        part.isNamed()
            ? new SectionHeader(part, id, in.name(), in.u32(), in.u32())
            : of(in, part, id);
    if (part.isNamed()) {
      in.section(header.idstr());
      in.enter("header");
      if (!seen.add(new Identity(header.idstr(), header.instance()))) {
        throw in.failure("each section once, instance " + header.instance() + " comes again");
      }
      if (part == SectionHeader.Part.START && open.putIfAbsent(id, header) != null) {
        throw in.failure("a number of its own, " + id + " is in use");
      }
    }
    in.section(header.idstr());
    return header;
  }

  private SectionHeader of(VmReader in, SectionHeader.Part part, int id) {
    SectionHeader first = part == SectionHeader.Part.END ? open.remove(id) : open.get(id);
    if (first == null) {
      throw in.failure("the number of a section that has begun and not ended, not " + id);
    }
    return first.as(part);
  }

  static void write(VmWriter out, SectionHeader header) {
    out.u8(header.part().code());
    out.u32(header.id());
    if (header.part().isNamed()) {
      out.name(header.idstr());
      out.u32(header.instance());
      out.u32(header.version());
    }
  }
}
