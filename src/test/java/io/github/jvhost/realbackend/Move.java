package io.github.jvhost.realbackend;

import io.github.jvhost.migration.InPlaceTarget;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.MigrationOptions;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.PreCopySource;
import io.github.jvhost.migration.SourceReport;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.scenario.Links;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** A migration of a guest from one machine to another, both in this process. */
final class Move {
  private Move() {}

  /**
   * Moves it.
   *
   * @param to a machine for arrival
   * @return what the source did
   * @throws MigrationException of the source, whose guest runs on
   */
  static SourceReport run(
      NetMachine from,
      NetMachine to,
      PresetupMode mode,
      MigrationOptions options,
      DescriptorLedger ledger) {
    Path socket = Path.of(System.getProperty("java.io.tmpdir"), "move-" + System.nanoTime());
    try (Links links = Links.connect(socket)) {
      MigrationSource source =
          MigrationSource.builder(ledger)
              .devices(List.of(from.net))
              .ram(
                  new PreCopySource(
                      from.memory, from.memory.table().highestAddress(), from::atSafePoint))
              .vm(vm(from::pause, from::resume))
              .link(links.source())
              .options(options)
              .build();
      MigrationDestination destination =
          MigrationDestination.builder()
              .devices(List.of(to.net))
              .ram(new InPlaceTarget(to.memory))
              .vm(vm(() -> {}, to::arrives))
              .link(links.destination())
              .presetup(mode)
              .options(options)
              .build();
      CompletableFuture<Void> arrived = new CompletableFuture<>();
      Thread.ofPlatform()
          .daemon()
          .name("move destination")
          .start(() -> {
            try {
              destination.run();
              arrived.complete(null);
            } catch (RuntimeException e) {
              arrived.completeExceptionally(e);
            }
          });
      try {
        SourceReport report = source.run();
        arrived.orTimeout(60, TimeUnit.SECONDS).join();
        return report;
      } catch (MigrationException e) {
        arrived.exceptionally(_ -> null).orTimeout(60, TimeUnit.SECONDS).join();
        throw e;
      }
    }
  }

  private static VmControl vm(Runnable pause, Runnable resume) {
    return new VmControl() {
      @Override
      public void pause() {
        pause.run();
      }

      @Override
      public void resume() {
        resume.run();
      }
    };
  }
}
