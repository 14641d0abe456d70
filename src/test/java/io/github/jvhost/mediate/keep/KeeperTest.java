package io.github.jvhost.mediate.keep;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OpenDescriptors;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Pipe;
import io.github.jvhost.sys.io.Poller;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A keeper and its clients, in one process. */
@Timeout(60)
class KeeperTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private Path directory;
  private int filesBefore;
  private KeeperThread keeper;

  /** The socket library opens a socket for itself at its first use. */
  @BeforeAll
  static void useTheSocketLibraryOnce() throws Exception {
    Path directory = Files.createTempDirectory("jvhost");
    KeeperThread.start(directory.resolve("keep")).close();
    Files.delete(directory);
  }

  @BeforeEach
  void start() throws Exception {
    filesBefore = OpenDescriptors.count();
    directory = Files.createTempDirectory("jvhost");
    keeper = KeeperThread.start(directory.resolve("keep"));
  }

  @AfterEach
  void nothingIsLeft() throws Exception {
    keeper.close();
    assertThat(keeper.ledger().describeOpen()).isEmpty();
    assertThat(ledger.describeOpen()).isEmpty();
    assertThat(OpenDescriptors.count()).isLessThanOrEqualTo(filesBefore);
    Files.delete(directory);
  }

  private KeeperStore connect() {
    return KeeperStore.connect(keeper.path(), ledger, PATIENCE);
  }

  private static void close(Map<String, OwnedDescriptor> all) {
    all.values().forEach(OwnedDescriptor::close);
  }

  /** Whether nobody has the writing end of its pipe any more. */
  private static boolean isOver(OwnedDescriptor readEnd) {
    try (Poller poller = new Poller(1)) {
      int index = poller.add(readEnd.number(), Poller.IN);
      return poller.await(0) > 0 && poller.ready(index) == Poller.HUP;
    }
  }

  @Test
  void whatOneClientPutsTheNextOneTakesUpAndUses() {
    try (EventFd kick = EventFd.create(ledger, "kick");
        EventFd call = EventFd.create(ledger, "call");
        KeeperStore store = connect()) {
      assertThat(store.takeUp()).isEmpty();
      store.put("kick", kick.descriptor());
      store.put("call ~ !", call.descriptor());
      kick.signal();
      kick.signal();
    }
    try (KeeperStore store = connect()) {
      Map<String, OwnedDescriptor> left = new TreeMap<>(store.takeUp());
      assertThat(left).containsOnlyKeys("kick", "call ~ !");
      try (EventFd kick = EventFd.adopt(requireNonNull(left.get("kick")))) {
        assertThat(kick.drain()).as("it is the same eventfd").isEqualTo(2);
      }
      close(left);
      close(store.takeUp());
    }
    try (KeeperStore store = connect()) {
      Map<String, OwnedDescriptor> left = store.takeUp();
      assertThat(left).as("taking up leaves it there").hasSize(2);
      close(left);
      store.remove("kick");
      store.remove("kick");
      left = store.takeUp();
      assertThat(left).containsOnlyKeys("call ~ !");
      close(left);
    }
  }

  @Test
  void theKeepersDuplicateKeepsAFileOpenUntilItIsRemoved() {
    try (Pipe pipe = Pipe.open(ledger, "test");
        KeeperStore store = connect()) {
      store.put("end", pipe.writeEnd());
      pipe.writeEnd().close();
      assertThat(isOver(pipe.readEnd())).isFalse();

      store.remove("end");
      assertThat(isOver(pipe.readEnd())).isTrue();
    }
  }

  @Test
  void aPutUnderANameThatIsThereDropsTheOldOne() {
    try (Pipe pipe = Pipe.open(ledger, "test");
        EventFd event = EventFd.create(ledger, "event");
        KeeperStore store = connect()) {
      store.put("end", pipe.writeEnd());
      pipe.writeEnd().close();
      store.put("end", event.descriptor());
      assertThat(isOver(pipe.readEnd())).isTrue();
      event.signal();
      Map<String, OwnedDescriptor> left = store.takeUp();
      try (EventFd same = EventFd.adopt(requireNonNull(left.get("end")))) {
        assertThat(same.drain()).isEqualTo(1);
      }
    }
  }

  @Test
  void aSecondClientIsRefusedAndTheFirstOneIsNotDisturbed() {
    try (EventFd event = EventFd.create(ledger, "event");
        KeeperStore first = connect()) {
      assertThatThrownBy(this::connect)
          .isInstanceOf(VhostException.class)
          .hasMessage(
              "keeper "
                  + keeper.path()
                  + " refused the connection: it has a client, and holds one client's"
                  + " descriptors; end that one first")
          .satisfies(e -> assertThat(((VhostException) e).recovery()).isEqualTo(Recovery.RETRY));
      first.put("event", event.descriptor());
    }
    try (KeeperStore next = connect()) {
      Map<String, OwnedDescriptor> left = next.takeUp();
      assertThat(left).containsOnlyKeys("event");
      close(left);
    }
  }

  @Test
  void onlyItsUserMayConnect() throws Exception {
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(keeper.path())))
        .isEqualTo("rw-------");
  }

  @Test
  void itTakesAsManyAsItMayAndReplacesEvenThen() {
    try (EventFd event = EventFd.create(ledger, "event");
        KeeperStore store = connect()) {
      for (int i = 0; i < Keeper.MOST; i++) {
        store.put("n" + i, event.descriptor());
      }
      assertThatThrownBy(() -> store.put("more", event.descriptor()))
          .isInstanceOf(VhostException.class)
          .hasMessageEndingWith("refused: it holds 4096 already");
      store.put("n7", event.descriptor());
      store.remove("n8");
      store.put("more", event.descriptor());
      Map<String, OwnedDescriptor> left = store.takeUp();
      assertThat(left).hasSize(Keeper.MOST).containsKey("more").doesNotContainKey("n8");
      close(left);
    }
  }

  @Test
  void aNameThatBreaksTheRulesIsRefusedBeforeItIsSent() {
    try (EventFd event = EventFd.create(ledger, "event");
        KeeperStore store = connect()) {
      for (String wrong : new String[] {"", "a:b", "a\nb", "\u00e4", "x".repeat(256)}) {
        assertThatThrownBy(() -> store.put(wrong, event.descriptor()))
            .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> store.remove(wrong)).isInstanceOf(IllegalArgumentException.class);
      }
      store.put("x".repeat(255), event.descriptor());
      close(store.takeUp());
    }
  }

  @Test
  void afterTheKeeperHasGoneEachCallFailsAtOnceAndOurDescriptorsStay() throws Exception {
    try (EventFd event = EventFd.create(ledger, "event");
        KeeperStore store = connect()) {
      keeper.close();
      assertThatThrownBy(() -> store.put("event", event.descriptor()))
          .isInstanceOf(VhostException.class);
      assertThatThrownBy(store::takeUp)
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("was given up");
      assertThatThrownBy(() -> store.remove("event")).isInstanceOf(VhostException.class);
      event.signal();
      assertThat(event.drain()).isEqualTo(1);
      keeper = KeeperThread.start(directory.resolve("keep"));
      try (KeeperStore again = connect()) {
        assertThat(again.takeUp()).isEmpty();
      }
    }
  }

  @Test
  void whereNoKeeperIsTheMessageSaysSo() {
    assertThatThrownBy(() -> KeeperStore.connect(directory.resolve("none"), ledger, PATIENCE))
        .isInstanceOf(VhostException.class)
        .hasMessageEndingWith("no such socket; it is there once the keeper runs");
  }
}
