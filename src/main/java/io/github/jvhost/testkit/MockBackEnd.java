package io.github.jvhost.testkit;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndListener;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.VringArea;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.testkit.net.SwitchPort;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A vhost-user back end for a virtio-net device: listens on a socket in the file system or calls a
 * front end that does, serves one front end at a time, and moves frames between its rings and one
 * port of a switch. After a reconnect everything starts from nothing but its {@link BackEndDevice}.
 *
 * <p>One platform thread does everything; the public methods may be called from any other. The
 * socket's thread is kept busy by modelled hardware and by scripted delays, as a real back end's
 * is, and calls that look at rings wait for it.
 */
public final class MockBackEnd implements AutoCloseable {
  private static final Duration LONGEST_CLOSE = Duration.ofSeconds(30);

  private final BackEndSetup setup;
  private final Entrance entrance;
  private final EventFd wakeUp;
  private final BackEndLoop loop;
  private final Object wakeLock = new Object();
  private final Thread thread;
  // Guarded by the wake lock.
  private boolean closing;

  private MockBackEnd(Builder builder, Entrance entrance, EventFd wakeUp) {
    this.setup =
        new BackEndSetup(
            builder.name,
            builder.offer,
            builder.model,
            builder.port,
            new BackEndDevice(),
            new BackEndRecord(),
            builder.ledger);
    this.entrance = entrance;
    this.wakeUp = wakeUp;
    this.loop = new BackEndLoop(setup, entrance, wakeUp, builder.faults);
    this.thread =
        Thread.ofPlatform().name("mock back end " + builder.name).daemon().unstarted(loop);
  }

  /**
   * Describes a back end.
   *
   * @param socket where it shall listen; must not exist, at most 107 bytes
   * @param ledger where its descriptors are written down
   */
  public static Builder builder(Path socket, DescriptorLedger ledger) {
    return new Builder(socket, ledger);
  }

  /** Where it listens, or whom it calls. */
  public Path socket() {
    return entrance.path();
  }

  /** What it offers. */
  public BackEndOffer offer() {
    return setup.offer();
  }

  /** What its device holds besides rings, for tests to fill in; outlives connections. */
  public BackEndDevice device() {
    return setup.device();
  }

  /** Everything that it was told and did, over all connections. */
  public BackEndRecord record() {
    return setup.record();
  }

  /** Replaces the script of faults; messages are counted from here on. */
  public void arm(Faults faults) {
    loop.arm(faults);
    wake();
  }

  /**
   * Says whether guest memory holds what the rings need; true at first. A ring that is started
   * while it does not is written down as a breach of the rules.
   */
  public void guestMemoryComplete(boolean complete) {
    loop.guestMemoryComplete(complete);
  }

  /** One ring as it is known now; empty while no front end is connected. */
  public Optional<RingView> ring(int number) {
    return loop.look(state -> state == null ? Optional.empty() : Optional.of(state.ring(number)));
  }

  /** Whether any ring is served now. */
  public boolean isRunning() {
    return loop.look(state -> state != null && state.isAnyStarted());
  }

  /** Whether a ring was said to be big-endian; false while no front end is connected. */
  public boolean isBigEndian(int ring) {
    return loop.look(state -> state != null && state.isBigEndian(ring));
  }

  /**
   * Asks the front end on the back end's own channel. Requests go out one after the other; this
   * does not wait.
   *
   * @param descriptors travel along; stay the caller's
   * @param needReply whether an answer is wanted; some requests have one anyway
   * @return the answer; without one complete as soon as it was sent. Fails with a {@link
   *     VhostException} when there is no channel, or it breaks
   */
  public CompletableFuture<FrontEndAnswer> askFrontEnd(
      BackEndRequest request,
      Payload payload,
      List<OwnedDescriptor> descriptors,
      boolean needReply) {
    return channel(asker -> asker.ask(request, payload, descriptors, needReply));
  }

  /**
   * Asks with a header of any number and flags, sensible or not; an answer is waited for where the
   * flags want one.
   *
   * @param payload as on the wire
   * @param descriptors as for {@link #askFrontEnd}, any number of them
   */
  public CompletableFuture<FrontEndAnswer> askNonsense(
      int id, int flags, byte[] payload, List<OwnedDescriptor> descriptors) {
    return channel(asker -> asker.ask(id, flags, payload, descriptors));
  }

  /** Sends any bytes on the back end's own channel; complete as soon as they are sent. */
  public CompletableFuture<FrontEndAnswer> sendToFrontEnd(
      byte[] bytes, List<OwnedDescriptor> descriptors) {
    return channel(asker -> asker.send(bytes, descriptors));
  }

  /** Asks so many times, wants an answer each time, and reads none; complete when all are sent. */
  public CompletableFuture<FrontEndAnswer> floodFrontEnd(
      BackEndRequest request, Payload payload, int times) {
    return channel(asker -> asker.flood(request, payload, times));
  }

  /** Changes the configuration space, and says so with CONFIG_CHANGE_MSG. */
  public CompletableFuture<FrontEndAnswer> changeConfig(byte[] bytes) {
    setup.device().config(bytes);
    return askFrontEnd(BackEndRequest.CONFIG_CHANGE_MSG, NoPayload.INSTANCE, List.of(), true);
  }

  /**
   * Offers a doorbell page of a ring, or takes it back.
   *
   * @param page the file, the caller's; null takes the page back
   */
  public CompletableFuture<FrontEndAnswer> hostNotifier(
      int ring, @Nullable OwnedDescriptor page, long offset, long length) {
    return askFrontEnd(
        BackEndRequest.VRING_HOST_NOTIFIER_MSG,
        new VringArea(ring, page == null, length, offset),
        page == null ? List.of() : List.of(page),
        true);
  }

  // Without the lock: the thread may hold it while it waits for an answer of its own.
  private CompletableFuture<FrontEndAnswer> channel(
      Function<BackEndAsker, CompletableFuture<FrontEndAnswer>> what) {
    BackEndAsker asker = loop.asker();
    return asker == null
        ? CompletableFuture.failedFuture(
            new VhostException(setup.name() + ": no channel to the front end", Recovery.RECONNECT))
        : what.apply(asker);
  }

  /**
   * Ends as SIGKILL would: what is being answered is not answered any more, and all sockets are
   * closed. Waits until nothing is left of it but the {@link #record()}; another one can be started
   * in its place. Modelled hardware is waited for.
   */
  public void crash() {
    close();
  }

  /** Loses the front end's connection as a crash would; goes on listening. Returns at once. */
  public void hangUp() {
    loop.hangUpSoon();
    wake();
  }

  /** Stops listening, closes everything, waits for the thread. A second time does nothing. */
  @Override
  public void close() {
    synchronized (wakeLock) {
      closing = true;
      loop.closeSoon();
      if (wakeUp.descriptor().isOpen()) {
        wakeUp.signal();
      }
    }
    LockSupport.unpark(thread);
    try {
      if (!thread.join(LONGEST_CLOSE)) {
        setup.record().note(setup.name() + ": its thread did not end within " + LONGEST_CLOSE);
        return;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return;
    }
    synchronized (wakeLock) {
      wakeUp.close();
    }
    setup.device().close();
    entrance.close();
  }

  private void wake() {
    synchronized (wakeLock) {
      if (!closing) {
        wakeUp.signal();
      }
    }
  }

  /** What a back end shall be like. Everything has a default. */
  public static final class Builder {
    private final Path socket;
    private final DescriptorLedger ledger;
    private String name;
    private BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    private HardwareModel model = HardwareModel.none();
    private SwitchPort port = new UnpluggedPort();
    private Faults faults = Faults.none();
    private @Nullable Path calls;

    private Builder(Path socket, DescriptorLedger ledger) {
      this.socket = Objects.requireNonNull(socket, "socket");
      this.ledger = Objects.requireNonNull(ledger, "ledger");
      this.name = String.valueOf(socket.getFileName());
    }

    /** How messages call it; the socket's file name at first. */
    public Builder name(String text) {
      this.name = text;
      return this;
    }

    /** What it offers and how it behaves; the GENERIC personality's at first. */
    public Builder offer(BackEndOffer what) {
      this.offer = what;
      return this;
    }

    /** What configuring it costs; nothing at first. */
    public Builder hardware(HardwareModel price) {
      this.model = price;
      return this;
    }

    /** Where its frames go to and come from; the port stays the caller's. Unplugged at first. */
    public Builder port(SwitchPort plug) {
      this.port = plug;
      return this;
    }

    /** What it does wrong; nothing at first. */
    public Builder faults(Faults what) {
      this.faults = what;
      return this;
    }

    /**
     * Calls a front end that listens there, again whenever the connection has ended, instead of
     * listening itself.
     */
    public Builder connectsTo(Path frontEnd) {
      this.calls = frontEnd;
      return this;
    }

    /**
     * Listens, or calls for the first time, on a thread that it starts.
     *
     * @return the caller's to close
     * @throws VhostException when it cannot listen there
     */
    public MockBackEnd start() {
      EventFd wakeUp = EventFd.create(ledger, name + " wake-up");
      MockBackEnd backEnd;
      try {
        Entrance entrance =
            calls == null
                ? new Entrance.Listening(BackEndListener.listen(socket, ledger))
                : new Entrance.Calling(calls, name, ledger);
        backEnd = new MockBackEnd(this, entrance, wakeUp);
      } catch (RuntimeException e) {
        wakeUp.close();
        throw e;
      }
      port.onFrame(backEnd::wake);
      backEnd.thread.start();
      return backEnd;
    }
  }
}
