package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.migration.InPlaceTarget;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.FrontEndAnswer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.scenario.Links;
import io.github.jvhost.vhost.plan.BackEndEvents;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A source stands still behind COMMIT until it hears ABORT, so that comes before all else. */
@Timeout(60)
class AbortFirstTest {
  private static final int ABORT = 19;

  @TempDir private Path dir;

  /** An embedder that cannot take a doorbell page back. */
  private static final class Stubborn implements BackEndEvents {
    private final AtomicReference<@Nullable MigrationLink> source = new AtomicReference<>();
    private volatile boolean abortWasSaid;

    @Override
    public boolean hostNotifier(int ring, @Nullable OwnedDescriptor page, long offset, long size) {
      if (page != null) {
        page.close();
        return true;
      }
      MigrationLink link = source.get();
      abortWasSaid = link != null && link.awaitReadable(Deadline.after(Duration.ZERO));
      throw new IllegalStateException("the page stays mapped");
    }
  }

  @Test
  void whatAnEmbedderThrowsWhileDevicesAreClosedDoesNotKeepTheSourceWaiting() throws Exception {
    var stubborn = new Stubborn();
    BackEndOffer offer =
        BackEndOffer.of(Personality.GENERIC)
            .with(ProtocolFeature.BACKEND_REQ)
            .with(ProtocolFeature.BACKEND_SEND_FD)
            .with(ProtocolFeature.HOST_NOTIFIER);
    try (Rig rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC);
        EventFd page = EventFd.create(rig.ledger, "page");
        Links links = Links.connect(dir.resolve("m"))) {
      rig.addBackEnd(Faults.none());
      VhostDeviceOptions options =
          rig.options(0, Duration.ofSeconds(10))
              .withEvents(stubborn)
              .with(ProtocolFeature.HOST_NOTIFIER);
      rig.nets.add(rig.connect(0, options));
      stubborn.source.set(links.source());
      CompletableFuture<FrontEndAnswer> given =
          rig.backEnd().hostNotifier(0, page.descriptor(), 0, 4096);
      while (!given.isDone()) {
        rig.net().ask(RoundTrip::features); // serves what the back end asks
      }
      try (FrontEndAnswer answer = given.get(20, TimeUnit.SECONDS)) {
        assertThat(answer.result()).isZero();
      }
      MigrationDestination destination =
          MigrationDestination.builder()
              .devices(rig.nets)
              .ram(new InPlaceTarget(rig.memory))
              .vm(new NoVm())
              .link(links.destination())
              .build();
      links.source().send(ByteBuffer.wrap(new byte[] {99, 0, 0, 0, 0, 0, 0, 0}), Rig.soon());

      assertThatThrownBy(destination::run)
          .isInstanceOf(MigrationException.class)
          .hasMessageContaining("unknown type 99")
          .hasMessageContaining("does not run on the destination");

      ByteBuffer header = ByteBuffer.allocate(8);
      links.source().receive(header, Rig.soon());
      assertThat(header.get(0)).isEqualTo((byte) ABORT);
      assertThat(stubborn.abortWasSaid).as("before devices were closed").isTrue();
      assertThat(rig.net().connected()).isFalse();
    }
  }

  private record NoVm() implements VmControl {
    @Override
    public void pause() {}

    @Override
    public void resume() {}
  }
}
