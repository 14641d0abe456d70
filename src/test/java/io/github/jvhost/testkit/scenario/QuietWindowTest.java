package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.migration.MigrationOptions;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * While the guest is stopped the other side is quiet for as long as its back ends take to stop or
 * to start: that is no link that is lost.
 */
@Timeout(120)
class QuietWindowTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  /** One end of a link, which writes down how long its user lets the other side be quiet. */
  private static final class Patient implements MigrationLink {
    private final MigrationLink link;

    /** Of each wait for a message, what was allowed, behind what was received or sent before. */
    private final List<String> waits = new ArrayList<>();

    private String last = "nothing";

    Patient(MigrationLink link) {
      this.link = link;
    }

    @Override
    public void send(ByteBuffer bytes, Deadline deadline) {
      last = "something sent";
      link.send(bytes, deadline);
    }

    @Override
    public void receive(ByteBuffer into, Deadline deadline) {
      waits.add(last + ": " + deadline.allowed());
      int at = into.position();
      link.receive(into, deadline);
      last = into.limit() - at == 8 && into.get(at) == Frame.STOPPING ? "STOPPING" : "received";
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
  void eachSideWaitsAsLongAsTheOthersBackEndsMayTake() throws Exception {
    Duration usual = MigrationOptions.defaults().linkWithin();
    Duration window = MigrationOptions.defaults().windowWithin();
    try (var directory = SocketDirectory.create();
        var hosts = new StillHosts(directory.path(), ledger);
        Host target = hosts.target();
        var links = Links.connect(directory.path().resolve("m"))) {
      var source = new Patient(links.source());
      var destination = new Patient(links.destination());
      var vm = new StillHosts.Vm(false);
      var arriving =
          new FutureTask<DestinationReport>(
              () -> StillHosts.arrive(target.devices(), target, vm, destination, PresetupMode.OFF));
      Thread.ofPlatform().daemon().start(arriving);

      hosts.leave(source, false);

      arriving.get(30, TimeUnit.SECONDS);
      assertThat(vm.runs()).isTrue();
      assertThat(source.waits.getFirst()).as("for READY").endsWith(usual.toString());
      assertThat(source.waits.getLast()).as("for RUNNING").endsWith(window.toString());
      int stopping = firstBehindStopping(destination.waits);
      assertThat(destination.waits.subList(0, stopping))
          .isNotEmpty()
          .allMatch(wait -> wait.endsWith(" " + usual));
      assertThat(destination.waits.subList(stopping, destination.waits.size()))
          .hasSizeGreaterThan(1)
          .allMatch(wait -> wait.endsWith(" " + window));
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** STOPPING has a body, of no bytes, for which is waited as before. */
  private static int firstBehindStopping(List<String> waits) {
    for (int i = 0; i < waits.size(); i++) {
      if (waits.get(i).startsWith("STOPPING")) {
        return i + 1;
      }
    }
    throw new AssertionError("no STOPPING among " + waits);
  }
}
