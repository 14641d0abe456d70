package io.github.jvhost.cli;

import io.github.jvhost.VhostException;
import io.github.jvhost.vmstate.UnknownSectionException;

/**
 * Error messages for the user of a command that reads a stream. They say what to do about the
 * stream, and not how to call the library's reader.
 */
final class StreamWords {
  private StreamWords() {}

  static String of(VhostException failure) {
    if (!(failure instanceof UnknownSectionException unknown)) {
      return String.valueOf(failure.getMessage());
    }
    String why =
        switch (unknown.reason()) {
          case IN_PARTS ->
              """
              it comes in parts, and nothing in a stream says how long those are. Such a section \
              belongs to a device that is passed through, to the bitmaps of a disk, or to a \
              machine other than x86 and ARM: save the machine without it\
              """;
          case NO_DESCRIPTION ->
              """
              the stream has no readable description at its end, which says how long its sections \
              are. It was cut off, or QEMU ran with suppress-vmdesc=on: save it again, whole\
              """;
          case NOT_DESCRIBED ->
              """
              the description at the stream's end does not have it, so the stream is not as QEMU \
              wrote it: save it again\
              """;
          case TOO_FAR ->
              """
              the description at the stream's end, which says how long it is, is too far behind \
              it: save the machine without its memory (capability x-ignore-shared)\
              """;
        };
    return "section %s, at byte %d, cannot be passed over: %s"
        .formatted(unknown.section(), unknown.offset(), why);
  }
}
