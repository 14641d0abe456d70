package io.github.jvhost.testkit;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.BackEndListener;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Iotlb;
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
 * A vhost-user back end for a virtio-net device: it listens on a socket in the file system or
 * connects to a front end that does, serves one front end at a time, and moves frames between its
 * rings and one port of a switch. Only its {@link BackEndDevice} keeps its state across
 * connections.
 *
 * <p>One platform thread does everything; the public methods may be called from any other. Modelled
 * hardware and scripted delays keep that thread busy, as configuring hardware does in a real back
 * end. Methods that read the state of rings wait for it.
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
   * @param socket the path at which it listens; must not exist, at most 107 bytes
   * @param ledger lists its descriptors
   * @return the description, with a default for everything else
   */
  public static Builder builder(Path socket, DescriptorLedger ledger) {
    return new Builder(socket, ledger);
  }

  /** {@return the path at which it listens, or to which it connects} */
  public Path socket() {
    return entrance.path();
  }

  /** {@return what it offers, and its personality} */
  public BackEndOffer offer() {
    return setup.offer();
  }

  /**
   * {@return its device's contents besides the rings, for tests to fill in} They are kept across
   * connections, and closed with the back end.
   */
  public BackEndDevice device() {
    return setup.device();
  }

  /**
   * {@return everything that it received and did, over all connections} It stays readable when the
   * back end is closed.
   */
  public BackEndRecord record() {
    return setup.record();
  }

  /**
   * Replaces the script of faults. Messages are counted from now on.
   *
   * @param faults the new script; {@link Faults#none()} ends all faults
   */
  public void arm(Faults faults) {
    loop.arm(faults);
    wake();
  }

  /**
   * Sets whether guest memory holds what the rings need; true by default. Starting a ring while it
   * is false is recorded as a breach of the rules.
   *
   * @param complete whether it does
   */
  public void guestMemoryComplete(boolean complete) {
    loop.guestMemoryComplete(complete);
  }

  /**
   * {@return the current state of one ring; empty while no front end is connected}
   *
   * @param number from 0 to below {@link BackEndOffer#rings()}
   */
  public Optional<RingView> ring(int number) {
    return loop.look(state -> state == null ? Optional.empty() : Optional.of(state.ring(number)));
  }

  /**
   * {@return the translations that a ring has now, as they were told, the oldest first; none while
   * no front end is connected}
   *
   * @param ring its number, from 0 to below {@link BackEndOffer#rings()}
   */
  public List<Iotlb> translations(int ring) {
    return loop.look(state -> state == null ? List.of() : state.translations(ring));
  }

  /** {@return whether any ring is served now} */
  public boolean isRunning() {
    return loop.look(state -> state != null && state.isAnyStarted());
  }

  /**
   * {@return whether the front end has set a ring to big-endian; false while no front end is
   * connected}
   *
   * @param ring its number, from 0
   */
  public boolean isBigEndian(int ring) {
    return loop.look(state -> state != null && state.isBigEndian(ring));
  }

  /**
   * Sends the front end a request on the back end's own channel. Requests are sent one at a time;
   * this method does not wait.
   *
   * @param request what to ask
   * @param payload what to say there; nobody checks that it is the request's own
   * @param descriptors sent with the request; they stay the caller's
   * @param needReply whether to ask for an answer; some requests have one anyway
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
   * Sends a request with any number and flags, valid or not. Waits for an answer if the flags ask
   * for one.
   *
   * @param id the header's number
   * @param flags the header's flags, its version among them
   * @param payload as on the wire
   * @param descriptors as for {@link #askFrontEnd}, any number of them
   * @return the answer; without one complete as soon as it was sent. Fails as {@link #askFrontEnd}
   *     does, also where the answer carries another number
   */
  public CompletableFuture<FrontEndAnswer> askNonsense(
      int id, int flags, byte[] payload, List<OwnedDescriptor> descriptors) {
    return channel(asker -> asker.ask(id, flags, payload, descriptors));
  }

  /**
   * Sends a request many times, asks for an answer each time, and reads none.
   *
   * @param request what to ask
   * @param payload what to say there, each time the same
   * @param times how often
   * @return complete when all are sent. Fails as {@link #askFrontEnd} does
   */
  public CompletableFuture<FrontEndAnswer> floodFrontEnd(
      BackEndRequest request, Payload payload, int times) {
    return channel(asker -> asker.flood(request, payload, times));
  }

  /**
   * Changes the configuration space and sends CONFIG_CHANGE_MSG.
   *
   * @param bytes as for {@link BackEndDevice#config(byte[])}
   * @return what the front end answers. Fails as {@link #askFrontEnd} does; the configuration space
   *     has changed all the same
   */
  public CompletableFuture<FrontEndAnswer> changeConfig(byte[] bytes) {
    setup.device().config(bytes);
    return askFrontEnd(BackEndRequest.CONFIG_CHANGE_MSG, NoPayload.INSTANCE, List.of(), true);
  }

  /**
   * Offers a doorbell page of a ring, or takes it back.
   *
   * @param ring its number, 0 to 255
   * @param page the file, which stays the caller's; null takes the page back
   * @param offset where the page begins in the file, in bytes
   * @param length bytes to map
   * @return what the front end answers. Fails as {@link #askFrontEnd} does
   */
  public CompletableFuture<FrontEndAnswer> hostNotifier(
      int ring, @Nullable OwnedDescriptor page, long offset, long length) {
    return askFrontEnd(
        BackEndRequest.VRING_HOST_NOTIFIER_MSG,
        new VringArea(ring, page == null, length, offset),
        page == null ? List.of() : List.of(page),
        true);
  }

  // This does not take the lock: the thread may hold it while it waits for an answer.
  private CompletableFuture<FrontEndAnswer> channel(
      Function<BackEndAsker, CompletableFuture<FrontEndAnswer>> what) {
    BackEndAsker asker = loop.asker();
    return asker == null
        ? CompletableFuture.failedFuture(
            new VhostException(setup.name() + ": no channel to the front end", Recovery.RECONNECT))
        : what.apply(asker);
  }

  /**
   * Ends the back end as SIGKILL would: it answers no further message and closes all sockets. Waits
   * for the thread, modelled hardware included. The {@link #record()} stays readable, and another
   * back end can be started in its place.
   */
  public void crash() {
    close();
  }

  /** Closes the front end's connection as a crash would, and goes on listening. Returns at once. */
  public void hangUp() {
    loop.hangUpSoon();
    wake();
  }

  /** Closes the back end's own channel, and nothing else. Returns at once. */
  public void hangUpChannel() {
    BackEndAsker asker = loop.asker();
    if (asker != null) {
      asker.endSoon();
    }
  }

  /** Stops listening, closes everything, and waits for the thread. A second call does nothing. */
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

  /** Describes a back end. Everything has a default. */
  public static final class Builder {
    private final Path socket;
    private final DescriptorLedger ledger;
    private String name;
    private BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    private HardwareModel model = HardwareModel.none();
    private SwitchPort port = new UnpluggedPort();
    private Faults faults = Faults.none();
    private @Nullable Path calls;
    private @Nullable OwnedDescriptor given;

    private Builder(Path socket, DescriptorLedger ledger) {
      this.socket = Objects.requireNonNull(socket, "socket");
      this.ledger = Objects.requireNonNull(ledger, "ledger");
      this.name = String.valueOf(socket.getFileName());
    }

    /**
     * Sets its name, for messages and its thread. The default is the socket's file name.
     *
     * @param text the name; any will do
     * @return this
     */
    public Builder name(String text) {
      this.name = text;
      return this;
    }

    /**
     * Sets what it offers and how it behaves. The default is the GENERIC personality's offer.
     *
     * @param what the offer, its personality included
     * @return this
     */
    public Builder offer(BackEndOffer what) {
      this.offer = what;
      return this;
    }

    /**
     * Sets the prices of configuring it. By default everything is free.
     *
     * @param price the modelled prices
     * @return this
     */
    public Builder hardware(HardwareModel price) {
      this.model = price;
      return this;
    }

    /**
     * Sets the port that sends and receives its frames. By default it has none.
     *
     * @param plug the port, which stays the caller's; its wake-up is replaced
     * @return this
     */
    public Builder port(SwitchPort plug) {
      this.port = plug;
      return this;
    }

    /**
     * Sets what it does wrong. By default it does nothing wrong.
     *
     * @param what the script, armed from the start
     * @return this
     */
    public Builder faults(Faults what) {
      this.faults = what;
      return this;
    }

    /**
     * Makes it connect to a front end instead of listening. It connects again whenever a connection
     * has ended.
     *
     * @param frontEnd the path of the front end's socket; the front end need not listen yet
     * @return this
     */
    public Builder connectsTo(Path frontEnd) {
      this.calls = frontEnd;
      return this;
    }

    /**
     * Uses a socket that the caller made, instead of listening at the path. The path is then only a
     * name for messages. The socket either listens, and its file is not deleted at the end; or it
     * is a connection, and there is no other one.
     *
     * @param socket the back end owns it from {@link #start} on, also when that fails
     * @return this
     */
    public Builder on(OwnedDescriptor socket) {
      this.given = socket;
      return this;
    }

    /**
     * Starts the back end's thread, which listens or connects.
     *
     * @return the back end, which the caller has to close
     * @throws VhostException when it cannot listen there, or the given descriptor is no such socket
     */
    public MockBackEnd start() {
      EventFd wakeUp = EventFd.create(ledger, name + " wake-up");
      MockBackEnd backEnd;
      try {
        backEnd = new MockBackEnd(this, entrance(), wakeUp);
      } catch (RuntimeException e) {
        wakeUp.close();
        throw e;
      }
      port.onFrame(backEnd::wake);
      backEnd.thread.start();
      return backEnd;
    }

    private Entrance entrance() {
      OwnedDescriptor handed = given;
      if (handed != null) {
        return handed(handed);
      }
      return calls == null
          ? new Entrance.Listening(BackEndListener.listen(socket, ledger))
          : new Entrance.Calling(calls, name, ledger);
    }

    private Entrance handed(OwnedDescriptor handed) {
      try {
        return handed.listens()
            ? new Entrance.Listening(BackEndListener.adopt(handed, socket, ledger))
            : new Entrance.Given(socket, BackEndConnection.adopt(handed, name, ledger), ledger);
      } catch (RuntimeException e) {
        handed.close();
        throw e;
      }
    }
  }
}
