package io.github.jvhost.cli;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.PlanPreview;
import io.github.jvhost.vhost.PlanPreviewBackEnd;
import io.github.jvhost.vhost.PlanPreviewMemory;
import io.github.jvhost.vmstate.RamBlock;
import org.jspecify.annotations.Nullable;

/** What a preview of plans takes for granted, out of a stream and the command line. */
final class PreviewedBackEnd {
  private static final long PAGE = 4096;

  private PreviewedBackEnd() {}

  /**
   * Where the machine's RAM lies.
   *
   * @param size that was asked for; null: what the stream says
   */
  static PlanPreviewMemory memory(SavedMachine machine, @Nullable ByteSize size) {
    long listed = machine.ram().map(RamBlock::length).orElse(0L);
    long bytes = size == null ? listed : size.bytes();
    return PlanPreviewMemory.ofMachine(machine.machine(), bytes / PAGE * PAGE);
  }

  /** A preview for one device. */
  static PlanPreview preview(
      SavedMachine.Device device,
      SavedMachine.@Nullable Device early,
      PlanPreviewBackEnd backEnd,
      PlanPreviewMemory memory) {
    return PlanPreview.of(
        device.path(),
        early == null ? null : early.state(),
        device.state(),
        backEnd,
        memory,
        DescriptorLedger.counting());
  }
}
