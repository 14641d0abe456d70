package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The connection is cut at each message in turn: never two guests run, and never none, except where
 * everything was handed over to a destination that could not do anything with it.
 */
@Timeout(90)
class CommitRuleTest {
  private static final int NEVER = Integer.MAX_VALUE;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  /** Where one end's connection is cut. */
  enum Cut {
    /** Nothing of the message is sent. */
    BEFORE,
    /** Half of it is. */
    WITHIN,
    /** It is sent, and the connection is gone right behind it. */
    AFTER
  }

  /** One end of a link, which hangs up when its n-th buffer is sent. */
  private static final class Brittle implements MigrationLink {
    private final MigrationLink link;
    private final int at;
    private final Cut cut;
    private final List<Integer> types = new ArrayList<>();

    Brittle(MigrationLink link, int at, Cut cut) {
      this.link = link;
      this.at = at;
      this.cut = cut;
    }

    /** The first byte of everything that was sent, a message's type among them. */
    synchronized List<Integer> types() {
      return List.copyOf(types);
    }

    @Override
    public synchronized void send(ByteBuffer bytes, Deadline deadline) {
      types.add((int) bytes.get(bytes.position()));
      if (types.size() != at) {
        link.send(bytes, deadline);
        return;
      }
      if (cut == Cut.AFTER) {
        link.send(bytes, deadline);
        link.close();
        return;
      }
      if (cut == Cut.WITHIN) {
        int half = bytes.remaining() / 2;
        link.send(bytes.slice(bytes.position(), half), deadline);
        bytes.position(bytes.position() + half);
      }
      link.close();
      throw new MigrationException("cut", Recovery.RETRY, null);
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

  /** What became of one migration. */
  private record Result(
      List<Integer> fromSource,
      List<Integer> fromDestination,
      boolean sourceRuns,
      boolean sourceServed,
      boolean destinationRuns,
      @Nullable VhostException failure) {}

  private Result migrate(int sourceCut, int destinationCut, Cut cut, boolean early)
      throws Exception {
    try (var directory = SocketDirectory.create();
        var hosts = new StillHosts(directory.path(), ledger);
        Host target = hosts.target();
        var links = Links.connect(directory.path().resolve("m"))) {
      var atSource = new Brittle(links.source(), sourceCut, cut);
      var atDestination = new Brittle(links.destination(), destinationCut, cut);
      var vm = new StillHosts.Vm(false);
      PresetupMode mode = early ? PresetupMode.IMPLICIT : PresetupMode.OFF;
      var arriving =
          new FutureTask<@Nullable VhostException>(() -> {
            try {
              StillHosts.arrive(target.devices(), target, vm, atDestination, mode);
              return null;
            } catch (VhostException e) {
              return e;
            }
          });
      Thread.ofPlatform().daemon().start(arriving);
      VhostException failure = null;
      try {
        hosts.leave(atSource, early);
      } catch (VhostException e) {
        failure = e;
      }
      VhostException other = arriving.get(30, TimeUnit.SECONDS);
      assertThat(vm.runs()).isEqualTo(other == null);
      return new Result(
          atSource.types(),
          atDestination.types(),
          hosts.sourceVm.runs(),
          hosts.source.devices().getFirst().running(),
          vm.runs(),
          failure);
    }
  }

  private static void assertOneRunner(Result result, String where) {
    assertThat(result.sourceRuns() ^ result.destinationRuns())
        .as("one runner, %s: %s", where, result)
        .isTrue();
    assertThat(result.sourceServed())
        .as("the rings are served where the guest runs, %s: %s", where, result)
        .isEqualTo(result.sourceRuns());
  }

  @ParameterizedTest
  @CsvSource({"BEFORE, false", "WITHIN, false", "AFTER, false", "BEFORE, true"})
  void cutOnTheWayToTheDestination(Cut cut, boolean early) throws Exception {
    Result whole = migrate(NEVER, NEVER, cut, early);
    assertOneRunner(whole, "not cut");
    assertThat(whole.destinationRuns()).isTrue();
    int commit = whole.fromSource().size();
    assertThat(whole.fromSource())
        .as("COMMIT travels in one piece with the final records, as the last thing")
        .endsWith(early ? Frame.MOVED : Frame.DEVICE)
        .doesNotContain(Frame.COMMIT);

    // Of the pages in the middle, where one is as good as another, every fourth.
    for (int at = 1; at <= commit; at += at > 6 && at < commit - 8 ? 4 : 1) {
      Result result = migrate(at, NEVER, cut, early);
      String where = cut + " message " + at + " of " + commit;
      assertOneRunner(result, where);
      assertThat(result.destinationRuns()).as(where).isEqualTo(at == commit && cut == Cut.AFTER);
      assertThat(result.failure()).as(where).isInstanceOf(MigrationException.class);
      assertThat(result.failure())
          .hasMessageContaining(
              result.sourceRuns() ? "the guest runs on, on the source" : "stays stopped here");
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"BEFORE, false", "BEFORE, true", "WITHIN, true"})
  void cutOnTheWayBack(Cut cut, boolean early) throws Exception {
    List<Integer> back = migrate(NEVER, NEVER, cut, early).fromDestination();
    assertThat(back).startsWith(Frame.READY).endsWith(Frame.RUNNING);
    assertThat(back.contains(Frame.PRESET)).isEqualTo(early);

    for (int at = 1; at <= back.size(); at++) {
      Result result = migrate(NEVER, at, cut, early);
      String where = cut + " message " + at + " of " + back;
      assertOneRunner(result, where);
      assertThat(result.destinationRuns())
          .as("it has everything once it says RUNNING, %s", where)
          .isEqualTo(at == back.size());
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /**
   * The destination is gone right behind its answer, while all of the rest may lie in the socket
   * already: of two who cannot talk any more neither can know. Then the source stands still and
   * says so, rather than risk a second guest.
   */
  @Test
  void neverTwoWhereCommitIsLostOnItsWay() throws Exception {
    List<Integer> back = migrate(NEVER, NEVER, Cut.AFTER, true).fromDestination();

    for (int at = 1; at <= back.size(); at++) {
      Result result = migrate(NEVER, at, Cut.AFTER, true);

      assertThat(result.sourceRuns() && result.destinationRuns()).as("two run").isFalse();
      if (at == back.size()) {
        assertThat(result.destinationRuns()).isTrue();
      } else if (!result.sourceRuns()) {
        assertThat(result.failure()).hasMessageContaining("on the destination, or nowhere");
      }
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }
}
