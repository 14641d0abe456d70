package io.github.jvhost.migration;

import io.github.jvhost.memory.Translation;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What a source has told the destination while the guest runs: of each device its state, and the
 * translations that its back end was told. They are sent again when they have changed.
 *
 * <pre>
 *   | DEVICE ... record of net0, early | TRANSLATIONS of net0 | DEVICE ... of net1 | EARLY_END 3 |
 *                                                                          generation --------^
 * </pre>
 *
 * <p>For one thread.
 */
final class EarlyRecords {
  private final List<VhostNet> devices;
  private final MessageStream stream;
  private final PresetupAnswers answers;
  private final Map<VhostNet, KnownEarly> newest = new HashMap<>();
  private final Map<VhostNet, List<Translation>> translations = new HashMap<>();
  private int generation;

  /**
   * Nothing is sent yet.
   *
   * @param answers the destination's: they are told which generation to wait for
   */
  EarlyRecords(List<VhostNet> devices, MessageStream stream, PresetupAnswers answers) {
    this.devices = devices;
    this.stream = stream;
    this.answers = answers;
  }

  /** Sends a new generation of all of them. */
  void send() {
    generation++;
    for (VhostNet device : devices) {
      VirtioNetState state = device.snapshot();
      DeviceRecord record =
          VirtioNetVmState.toRecord(device.name(), DeviceRecord.Kind.EARLY, generation, state);
      newest.put(device, KnownEarly.of(record, state));
      stream.send(new MigrationMessage.Early(record));
      List<Translation> told = device.migration().translations();
      translations.put(device, told);
      if (!told.isEmpty()) {
        stream.send(new MigrationMessage.Translations(device.name(), told));
      }
    }
    stream.send(new MigrationMessage.EarlyEnd(generation));
    answers.expect(generation);
  }

  /**
   * Whether a back end was told other translations since. They are sent once more before the guest
   * stops; a guest that maps each frame anew would have them sent for ever.
   */
  boolean translationsDiffer() {
    return devices.stream()
        .anyMatch(device -> !device.migration().translations().equals(translations.get(device)));
  }

  /** Sends what the guest has mapped since, up to its stop. */
  void sendLastTranslations() {
    for (VhostNet device : devices) {
      List<Translation> told = device.migration().translations();
      if (!told.equals(translations.get(device))) {
        stream.send(new MigrationMessage.Translations(device.name(), told));
      }
    }
  }

  /** The final records. Where the destination could not read the early record, they are whole. */
  FinalRecords finalRecords() {
    Map<VhostNet, KnownEarly> read = new HashMap<>(newest);
    read.keySet().removeIf(device -> !answers.isPreset(device.name()));
    return new FinalRecords(devices, generation, read);
  }

  /** The final records if the destination can read all early ones, for a rehearsal. */
  FinalRecords finalRecordsOnceRead() {
    return new FinalRecords(devices, generation, newest);
  }
}
