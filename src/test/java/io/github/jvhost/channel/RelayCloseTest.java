package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.soon;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.channel.backend.Relay;
import io.github.jvhost.channel.backend.RelayObserver;
import io.github.jvhost.channel.backend.RelayedMessage;
import io.github.jvhost.sys.Deadline;
import java.io.IOException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.util.EnumSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A relay that two threads close. */
@Timeout(60)
class RelayCloseTest {
  private RelayRig rig;

  @BeforeEach
  void makeRoom() throws IOException {
    rig = new RelayRig();
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    rig.close();
  }

  /** Stays in {@link #connected} until it is let go. */
  private record Held(CountDownLatch there, CountDownLatch go) implements RelayObserver {
    @Override
    public void connected(int session, long nanos) {
      there.countDown();
      try {
        assertThat(go.await(20, TimeUnit.SECONDS)).isTrue();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }

    @Override
    public void passed(RelayedMessage message) {}

    @Override
    public void ended(int session, long nanos, String why) {}
  }

  private static void awaitRest(Thread thread) {
    Deadline deadline = soon();
    while (EnumSet.of(Thread.State.NEW, Thread.State.RUNNABLE).contains(thread.getState())) {
      assertThat(deadline.expired()).isFalse();
      Thread.onSpinWait();
    }
  }

  @Test
  void whoeverClosesItWaitsUntilItIsClosed() throws Exception {
    var held = new Held(new CountDownLatch(1), new CountDownLatch(1));
    try (ServerSocketChannel server = rig.listen()) {
      Relay relay = Relay.start(rig.front, rig.back, rig.ledger, held);
      try (SocketChannel _ = rig.connectRaw();
          SocketChannel _ = server.accept()) {
        assertThat(held.there().await(20, TimeUnit.SECONDS)).isTrue();
        Thread first = Thread.ofPlatform().daemon().start(relay::close);
        awaitRest(first);
        var second =
            new FutureTask<>(() -> {
              relay.close();
              return !relay.isAlive() && Files.notExists(rig.front);
            });
        Thread other = Thread.ofPlatform().daemon().start(second);
        awaitRest(other);
        held.go().countDown();

        assertThat(second.get(20, TimeUnit.SECONDS)).isTrue();
        first.join();
      }
    }
  }

  @Test
  void whoeverIsInterruptedMeanwhileClosesItToTheEndAndStaysInterrupted() throws Exception {
    var held = new Held(new CountDownLatch(1), new CountDownLatch(1));
    try (ServerSocketChannel server = rig.listen()) {
      Relay relay = Relay.start(rig.front, rig.back, rig.ledger, held);
      try (SocketChannel _ = rig.connectRaw();
          SocketChannel _ = server.accept()) {
        assertThat(held.there().await(20, TimeUnit.SECONDS)).isTrue();
        var closing =
            new FutureTask<>(() -> {
              Thread.currentThread().interrupt();
              relay.close();
              return Thread.interrupted() && !relay.isAlive();
            });
        awaitRest(Thread.ofPlatform().daemon().start(closing));
        held.go().countDown();

        assertThat(closing.get(20, TimeUnit.SECONDS)).isTrue();
      }
    }
  }
}
