package io.github.jvhost.vmstate;

import java.util.List;

/**
 * How an early section names its device. Readers accept both forms.
 *
 * <pre>
 *   BY_ORDER   virtio-net-early                         instance 0, 1, 2 ...: the order in which devices were made
 *   BY_PATH    0000:00:03.0/virtio-net-early            instance 0
 * </pre>
 */
public enum EarlyForm {
  /**
   * As in the RFC "virtio-net: Introduce LM early load". After a NIC was hot-plugged, the two ends
   * may have created their devices in different orders. Then sections go to the wrong devices.
   */
  BY_ORDER,
  /** With the path of the device before the name, as in the final section. */
  BY_PATH;

  /**
   * {@return the header of a device's early section}
   *
   * @param id the number of the section
   * @param devices the paths of all devices, in the order in which they were created
   * @param device the index among them
   */
  public SectionHeader header(int id, List<String> devices, int device) {
    return switch (this) {
      case BY_ORDER -> full(id, new NetSectionName(DeviceRecord.Kind.EARLY, ""), device);
      case BY_PATH -> full(id, new NetSectionName(DeviceRecord.Kind.EARLY, devices.get(device)), 0);
    };
  }

  /**
   * Finds the device of an early section.
   *
   * @param header of an early section
   * @param devices the paths of all devices, in the order in which they were created
   * @return the index among them, or -1 if there is no such device
   */
  public static int deviceOf(SectionHeader header, List<String> devices) {
    return NetSectionName.parse(header.idstr())
        .filter(name -> name.kind() == DeviceRecord.Kind.EARLY)
        .map(name -> {
          if (!name.path().isEmpty()) {
            return devices.indexOf(name.path());
          }
          int order = header.instance();
          return order >= 0 && order < devices.size() ? order : -1;
        })
        .orElse(-1);
  }

  private static SectionHeader full(int id, NetSectionName name, int instance) {
    return SectionHeader.full(id, name.idstr(), instance, VirtioNetVmState.VERSION);
  }
}
