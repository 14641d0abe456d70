package io.github.jvhost.mediate.keep;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.PrivateListener;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.newsclub.net.unix.AFUNIXSocketChannel;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Holds descriptors for one client at a time, and gives them to the next one. The process that it
 * runs in should do nothing else, so that it has no reason to end.
 *
 * <pre>
 *                     connects, the same user or root
 *   no client ------------------------------------------&gt; one client: answers its requests
 *       ^                                                    |        others: REFUSED, hangs up
 *       +----------------------------------------------------+
 *          hangs up, is killed, sends nonsense, or is silent amid a frame
 * </pre>
 *
 * <p>What a client does or fails to do ends its connection at worst. What it has put stays.
 *
 * <p>One thread at a time.
 */
public final class Keeper implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Keeper.class);

  /** The most descriptors that it holds. */
  public static final int MOST = 4096;

  /** How long a client may take to send the rest of a frame, or to read an answer. */
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  /** How long it does not accept after accepting has failed, so that it does not spin. */
  private static final Duration PAUSE = Duration.ofMillis(100);

  private final PrivateListener listening;
  private final DescriptorLedger ledger;
  private final Poller poller = new Poller(2);
  private final NavigableMap<String, OwnedDescriptor> held = new TreeMap<>();
  private @Nullable FrameStream client;
  private Deadline pause = Deadline.after(Duration.ZERO);
  private long clients;
  private long refused;

  private Keeper(PrivateListener listening, DescriptorLedger ledger) {
    this.listening = listening;
    this.ledger = ledger;
  }

  /**
   * Listens, for our own user and root alone.
   *
   * @param path of the socket, which gets mode 0600; a socket that nobody serves is replaced
   * @param ledger records what it holds
   * @return the keeper, which the caller closes
   * @throws VhostException (GIVE_UP) if it cannot listen there
   */
  public static Keeper listen(Path path, DescriptorLedger ledger) {
    return new Keeper(PrivateListener.open(path), ledger);
  }

  /** {@return how many descriptors it holds} */
  public int held() {
    return held.size();
  }

  /** {@return how many clients it has had} */
  public long clients() {
    return clients;
  }

  /** {@return how many connections it has refused} */
  public long refused() {
    return refused;
  }

  /**
   * Serves until the deadline. A client's request that has begun may take two seconds longer.
   *
   * @param deadline when to return
   */
  public void serve(Deadline deadline) {
    do {
      poller.clear();
      int ofClient = poller.add(client == null ? -1 : client.number(), Poller.IN);
      boolean accepts = pause.expired();
      int ofListener = poller.add(accepts ? listening.number() : -1, Poller.IN);
      long wait = deadline.remainingNanos();
      poller.await(accepts ? wait : Math.min(wait, pause.remainingNanos()));
      // The client first: it may have died, and whoever connects is its successor.
      if (client != null && poller.ready(ofClient) != 0) {
        serve(client);
      } else if (poller.ready(ofListener) != 0) {
        accept();
      }
    } while (!deadline.expired());
  }

  private void accept() {
    try {
      AFUNIXSocketChannel socket = listening.accept(Deadline.after(Duration.ZERO));
      if (socket != null) {
        greet(socket);
      }
    } catch (VhostException e) {
      log.warn("a client could not connect: {}", e.getMessage());
      pause = Deadline.after(PAUSE);
    }
  }

  private void greet(AFUNIXSocketChannel socket) {
    String name = listening.path().toString();
    FrameStream stream = new FrameStream(new SocketStream(socket, name, ledger), name, "client");
    boolean welcome = false;
    try {
      String reason = reasonToRefuse(stream.number());
      welcome = reason.isEmpty();
      stream.send(
          welcome ? new Frame.Done() : new Frame.Refused(reason),
          List.of(),
          Deadline.after(PATIENCE));
    } catch (VhostException e) {
      welcome = false; // it has gone already
    } finally {
      if (!welcome) {
        refused++;
        stream.close();
      }
    }
    if (welcome) {
      clients++;
      client = stream;
    }
  }

  /** Why a connection is not wanted; empty if it is. */
  private String reasonToRefuse(int connection) {
    if (!listening.admits(connection)) {
      return "it serves its own user and root alone";
    }
    return client == null
        ? ""
        : "it has a client, and holds one client's descriptors; end that one first";
  }

  /** Takes one request of the client. */
  private void serve(FrameStream from) {
    try {
      FrameStream.Received request = from.receive(Deadline.after(PATIENCE));
      if (request == null) {
        drop(from);
        return;
      }
      answer(request, from);
    } catch (VhostException e) {
      log.warn("its client's connection ends, {} descriptors stay: {}", held(), e.getMessage());
      drop(from);
    }
  }

  private void drop(FrameStream stream) {
    stream.close();
    client = null;
  }

  private void answer(FrameStream.Received request, FrameStream to) {
    Deadline deadline = Deadline.after(PATIENCE);
    switch (request.frame()) {
      case Frame.Put(String name) -> {
        boolean taken = put(name, request.descriptor());
        Frame answer =
            taken ? new Frame.Done() : new Frame.Refused("it holds %d already".formatted(MOST));
        to.send(answer, List.of(), deadline);
      }
      case Frame.Remove(String name) -> {
        close(held.remove(name));
        to.send(new Frame.Done(), List.of(), deadline);
      }
      case Frame.Next(String after) -> {
        Map.Entry<String, OwnedDescriptor> next = held.higherEntry(after);
        if (next == null) {
          to.send(new Frame.Done(), List.of(), deadline);
        } else {
          to.send(new Frame.Entry(next.getKey()), List.of(next.getValue()), deadline);
        }
      }
      case Frame.Done _, Frame.Entry _, Frame.Refused _ -> {
        close(request.descriptor());
        throw new VhostException(
            "%s: the client sent %s, which is an answer"
                .formatted(listening.path(), request.frame()),
            Recovery.GIVE_UP);
      }
    }
  }

  /** Whether there was room for it; closed if there was not. */
  private boolean put(String name, @Nullable OwnedDescriptor descriptor) {
    if (descriptor == null || (held.size() >= MOST && !held.containsKey(name))) {
      close(descriptor);
      return false;
    }
    close(held.put(name, descriptor));
    return true;
  }

  private static void close(@Nullable OwnedDescriptor descriptor) {
    if (descriptor != null) {
      descriptor.close();
    }
  }

  /** Stops listening and closes everything that it holds. A second call does nothing. */
  @Override
  public void close() {
    if (client != null) {
      drop(client);
    }
    held.values().forEach(OwnedDescriptor::close);
    held.clear();
    poller.close();
    listening.close();
  }
}
