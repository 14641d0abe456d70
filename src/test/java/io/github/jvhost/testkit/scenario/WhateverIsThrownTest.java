package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.migration.MigrationListener;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.Phase;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.ByteBuffer;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** An embedder's parts throw what nobody expects of them: somebody runs the guest all the same. */
@Timeout(60)
class WhateverIsThrownTest {
  private static final int CANCEL = 7;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** Something that no interface speaks of. */
  private static final class Unheard extends Error {
    private static final long serialVersionUID = 1L;
  }

  /** A link that fails in its own way when CANCEL is said. */
  private record Odd(MigrationLink link) implements MigrationLink {
    @Override
    public void send(ByteBuffer bytes, Deadline deadline) {
      if (bytes.get(bytes.position()) == CANCEL) {
        throw new IllegalStateException("an embedder's own bug");
      }
      link.send(bytes, deadline);
    }

    @Override
    public void receive(ByteBuffer into, Deadline deadline) {
      link.receive(into, deadline);
    }

    @Override
    public boolean awaitReadable(Deadline deadline) {
      return link.awaitReadable(deadline);
    }

    @Override
    public void close() {
      link.close();
    }
  }

  @Test
  void aLinkThatFailsAtCancelLeavesTheGuestRunning() throws Exception {
    fails((source, vm, link) -> source.link(new Odd(link)).vm(vm), "half paused");
  }

  @Test
  void anErrorInPauseLeavesTheGuestRunning() throws Exception {
    fails((source, vm, _) -> source.vm(vm), Unheard.class.getName());
  }

  @Test
  void anErrorOfAListenerLeavesTheGuestRunning() throws Exception {
    MigrationListener listener =
        phase -> {
          if (phase == Phase.STOP) {
            throw new Unheard();
          }
        };
    fails((source, _, _) -> source.listener(listener), Unheard.class.getName());
  }

  private interface Embedder {
    MigrationSource.Builder with(
        MigrationSource.Builder source, VmControl failing, MigrationLink link);
  }

  private void fails(Embedder embedder, String said) throws Exception {
    try (var m = new StillMigration(ledger)) {
      VmControl failing =
          new VmControl() {
            @Override
            public void pause() {
              m.hosts().sourceVm.pause();
              if (said.equals("half paused")) {
                throw new IllegalStateException(said);
              }
              throw new Unheard();
            }

            @Override
            public void resume() {
              m.hosts().sourceVm.resume();
            }
          };
      var arriving = m.arrive(PresetupMode.OFF);
      MigrationSource source = embedder.with(m.leaving(false), failing, m.link()).build();

      assertThatThrownBy(source::run)
          .isInstanceOf(MigrationException.class)
          .hasMessageContaining(said)
          .hasMessageContaining("the guest runs on, on the source");

      assertThat(m.hosts().sourceVm.runs()).isTrue();
      assertThat(m.left().running()).isTrue();
      m.link().close();
      assertThatThrownBy(() -> arriving.get(30, TimeUnit.SECONDS))
          .isInstanceOf(ExecutionException.class)
          .hasCauseInstanceOf(MigrationException.class);
    }
  }

  @Test
  void anErrorAtTheDestinationIsSaidToTheSource() throws Exception {
    try (var m = new StillMigration(ledger)) {
      VmControl vm =
          new VmControl() {
            @Override
            public void pause() {}

            @Override
            public void resume() {
              throw new Unheard();
            }
          };
      var arriving = m.arrive(vm, PresetupMode.OFF);

      assertThatThrownBy(() -> m.leaving(false).build().run())
          .isInstanceOf(MigrationException.class)
          .hasMessageContaining("the destination gave up")
          .hasMessageContaining("the guest runs on, on the source");

      assertThat(m.hosts().sourceVm.runs()).isTrue();
      assertThatThrownBy(() -> arriving.get(30, TimeUnit.SECONDS))
          .hasCauseInstanceOf(MigrationException.class);
    }
  }

  @Test
  void anInterruptBetweenCommitAndRunningIsHandedOn() throws Exception {
    try (var m = new StillMigration(ledger)) {
      var arriving = m.arrive(PresetupMode.OFF);
      MigrationSource source =
          m.departure(
              false,
              phase -> {
                if (phase == Phase.HAND_OVER) {
                  Thread.currentThread().interrupt();
                }
              });
      boolean handedOn;
      try {
        source.run();
      } finally {
        handedOn = Thread.interrupted();
      }

      assertThat(handedOn).isTrue();
      assertThat(m.hosts().sourceVm.runs()).isFalse();
      assertThat(arriving.get(30, TimeUnit.SECONDS).starts()).allMatch(start -> start.running());
    }
  }
}
