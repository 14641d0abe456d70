package io.github.jvhost.cli;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.preview.PlanPreview;
import io.github.jvhost.testkit.preview.PlanPreviewBackEnd;
import io.github.jvhost.testkit.preview.PlanPreviewMemory;
import io.github.jvhost.testkit.preview.PlanPreviewState;
import io.github.jvhost.vmstate.RamBlock;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Previews of plans, with assumptions from a stream and the command line. */
final class PreviewedBackEnd {
  private static final long PAGE = 4096;

  private PreviewedBackEnd() {}

  /**
   * Returns the layout of the machine's RAM.
   *
   * @param wanted the layout from the command line; empty for that of the stream's machine
   */
  static PlanPreviewMemory memory(SavedMachine machine, List<MemoryPlace> wanted) {
    if (!wanted.isEmpty() && wanted.getFirst().base().isPresent()) {
      return new PlanPreviewMemory(
          wanted.stream()
              .map(place ->
                  new PlanPreviewMemory.Region(
                      place.base().orElseThrow(), place.size().bytes() / PAGE * PAGE))
              .toList());
    }
    long listed = machine.ram().map(RamBlock::length).orElse(0L);
    long bytes = wanted.isEmpty() ? listed : wanted.getFirst().size().bytes();
    String block = machine.ram().map(RamBlock::name).orElse("");
    return PlanPreviewMemory.ofMachine(machine.machine(), block, bytes / PAGE * PAGE);
  }

  /** Returns the preview of one device, for the part of its state that can be planned. */
  static PlanPreview preview(
      SavedMachine.Device device,
      SavedMachine.@Nullable Device early,
      PlanPreviewBackEnd backEnd,
      PlanPreviewMemory layout) {
    DescriptorLedger ledger = DescriptorLedger.counting();
    try (GuestMemory memory = layout.allocate(ledger)) {
      return PlanPreview.of(
          device.path(),
          early == null ? null : PlanPreviewState.of(early.state(), backEnd).state(),
          PlanPreviewState.of(device.state(), backEnd).state(),
          backEnd,
          memory,
          ledger);
    }
  }
}
