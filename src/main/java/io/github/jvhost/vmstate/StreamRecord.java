package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;

/**
 * One record of QEMU's migration stream. This is the usual order of records:
 *
 * <pre>
 *   "QEVM" 00000003
 *   07 configuration       08 commands
 *   01 START of memory ...  04 FULL sections that are sent early  ...  02 PARTs of memory ...
 *   03 END of memory        04 FULL, one for each device
 *   00 end                  06 description of all sections, in JSON
 * </pre>
 *
 * <p>Immutable, and so thread-safe.
 */
public sealed interface StreamRecord {
  /**
   * The configuration, which must be equal at both ends. Record type 07.
   *
   * @param machine machine type, "pc-q35-7.2"
   * @param targetPageBits size of a guest page as a power of two, if that is not the smallest of
   *     its kind (32 bits)
   * @param capabilities capabilities that change the form of the stream, at most 255 bytes each
   * @param uuid UUID of the machine, if the destination has to check it
   */
  record Configuration(
      String machine,
      OptionalInt targetPageBits,
      Optional<List<String>> capabilities,
      Optional<UUID> uuid)
      implements StreamRecord {
    /** Blocks of memory that both ends share are not sent, and the list has their addresses. */
    public static final String IGNORE_SHARED = "x-ignore-shared";

    /** Pages have fixed positions in the file. */
    public static final String MAPPED_RAM = "mapped-ram";

    /** Copies the list. */
    public Configuration {
      capabilities = capabilities.map(List::copyOf);
    }

    /**
     * {@return whether a capability is in use}
     *
     * @param capability its name, such as {@link #MAPPED_RAM}
     */
    public boolean has(String capability) {
      return capabilities.map(names -> names.contains(capability)).orElse(false);
    }
  }

  /**
   * A command for the destination. Record type 08.
   *
   * @param command number, 16 bits; QEMU's {@code qemu_vm_cmd}
   * @param data at most 65535 bytes
   */
  record Command(int command, Bytes data) implements StreamRecord {
    /** Checks the ranges. */
    public Command {
      if (command < 0 || command > 0xFFFF || data.size() > 0xFFFF) {
        throw new IllegalArgumentException(
            "command " + command + " with " + data.size() + " bytes");
      }
      if (command == StreamCommand.PACKAGED.code()) {
        throw new IllegalArgumentException("a package is a record of its own kind");
      }
    }
  }

  /**
   * A package of records. The destination reads all of it before it acts on any of them. Postcopy
   * hands over in this way. Record type 08, command 7.
   *
   * @param records commands and sections, without memory
   */
  record Packaged(List<StreamRecord> records) implements StreamRecord {
    /** Copies the list. */
    public Packaged {
      records = List.copyOf(records);
    }
  }

  /**
   * A section, or a part of one. Record types 01 to 04.
   *
   * @param header its header
   * @param body its content
   */
  record Section(SectionHeader header, SectionBody body) implements StreamRecord {}

  /** Only the description may follow. Record type 00. */
  record EndOfStream() implements StreamRecord {}

  /**
   * The description of the fields of every section in one piece. Record type 06.
   *
   * @param json the text, in QEMU's form
   */
  record Description(String json) implements StreamRecord {}
}
