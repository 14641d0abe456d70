package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;

/**
 * One record of QEMU's migration stream, in the order in which they usually come.
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
   * What both ends must agree upon. Record type 07.
   *
   * @param machine type of the machine, "pc-q35-7.2"
   * @param targetPageBits size of a guest page as a power of two, where that is not the smallest of
   *     its kind (32 bits)
   * @param capabilities that change how the stream looks, if there are any, at most 255 bytes each
   * @param uuid of the machine, where it is to be checked
   */
  record Configuration(
      String machine,
      OptionalInt targetPageBits,
      Optional<List<String>> capabilities,
      Optional<UUID> uuid)
      implements StreamRecord {
    /** Blocks of memory that both ends share are not sent, and have their address in the list. */
    public static final String IGNORE_SHARED = "x-ignore-shared";

    /** Memory has fixed places in the file. */
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
   * Something that the destination is told to do. Record type 08.
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
   * Records that are to be read as a whole before any of them counts: how postcopy hands over.
   * Record type 08, command 7.
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
   * @param header what it is
   * @param body what is in it
   */
  record Section(SectionHeader header, SectionBody body) implements StreamRecord {}

  /** Nothing but the description follows. Record type 00. */
  record EndOfStream() implements StreamRecord {}

  /**
   * What every section in one piece consists of. Record type 06.
   *
   * @param json as QEMU writes it
   */
  record Description(String json) implements StreamRecord {}
}
