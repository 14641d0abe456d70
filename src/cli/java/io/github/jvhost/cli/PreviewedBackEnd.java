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

/** What a preview of plans takes for granted, out of a stream and the command line. */
final class PreviewedBackEnd {
  private static final long PAGE = 4096;

  private PreviewedBackEnd() {}

  /**
   * Where the machine's RAM lies.
   *
   * @param wanted what the command line says of it; empty: what the stream says
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

  /** A preview for one device, of as much of its state as can be planned. */
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
