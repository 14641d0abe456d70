package io.github.jvhost.vmstate;

import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The idstr of a virtio-net section.
 *
 * @param kind early or final
 * @param path path of the device in its machine; "" for an early section in the form BY_ORDER
 */
public record NetSectionName(DeviceRecord.Kind kind, String path) {
  // "0000:00:03.0", behind bridges "0000:00:02.0:00.0"
  private static final Pattern PCI =
      Pattern.compile("[0-9a-f]{4}:[0-9a-f]{2}(:[0-9a-f]{2}\\.[0-7])+");
  private static final Pattern MMIO = Pattern.compile("virtio-mmio@[0-9a-f]{16}");

  /**
   * {@return the parts of a name; empty when it is not that of a virtio-net device}
   *
   * @param idstr the name in the stream
   */
  public static Optional<NetSectionName> parse(String idstr) {
    for (DeviceRecord.Kind kind : DeviceRecord.Kind.values()) {
      String suffix = VirtioNetVmState.sectionName(kind);
      if (idstr.endsWith("/" + suffix)) {
        String path = idstr.substring(0, idstr.length() - suffix.length() - 1);
        return Optional.of(new NetSectionName(kind, path));
      }
      if (kind == DeviceRecord.Kind.EARLY && idstr.equals(suffix)) {
        return Optional.of(new NetSectionName(kind, ""));
      }
    }
    return Optional.empty();
  }

  /** {@return the name in the stream} */
  public String idstr() {
    String suffix = VirtioNetVmState.sectionName(kind);
    return path.isEmpty() ? suffix : path + "/" + suffix;
  }

  /** Whether the device may be on PCI. */
  boolean maybePci() {
    return path.isEmpty() || PCI.matcher(path).matches();
  }

  /** Whether the device may be on virtio-mmio. */
  boolean maybeMmio() {
    return path.isEmpty() || MMIO.matcher(path).matches();
  }
}
