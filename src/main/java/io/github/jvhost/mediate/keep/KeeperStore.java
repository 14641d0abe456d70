package io.github.jvhost.mediate.keep;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.Connector;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Descriptors at a {@link Keeper} in another process. While it is open no other client can connect
 * to that keeper.
 *
 * <p>After a failure other than a refusal it is of no use: every further call fails at once. Its
 * owner may open another one, which has to be given all descriptors again only if the keeper was
 * started anew.
 */
public final class KeeperStore implements DescriptorStore {
  private final FrameStream stream;
  private final String name;
  private final Duration patience;

  /** Guarded by this. */
  private @Nullable VhostException broken;

  private KeeperStore(FrameStream stream, String name, Duration patience) {
    this.stream = stream;
    this.name = name;
    this.patience = patience;
  }

  /**
   * Connects to a keeper.
   *
   * @param path of its socket
   * @param ledger records the connection and what is taken up
   * @param patience the most time for connecting, and for every call later
   * @return the store, which the caller closes
   * @throws VhostException (RETRY) if nobody listens there, or the keeper has a client already;
   *     (GIVE_UP) if it is no keeper of this version
   */
  public static KeeperStore connect(Path path, DescriptorLedger ledger, Duration patience) {
    String name = "keeper " + path;
    Deadline deadline = Deadline.after(patience);
    var socket = Connector.connect(path, name, "keeper", deadline);
    var stream = new FrameStream(new SocketStream(socket, name, ledger), name, "keeper");
    boolean greeted = false;
    try {
      requireWelcome(stream.receive(deadline), name);
      greeted = true;
      return new KeeperStore(stream, name, patience);
    } finally {
      if (!greeted) {
        stream.close();
      }
    }
  }

  private static void requireWelcome(FrameStream.@Nullable Received greeting, String name) {
    if (greeting == null) {
      throw new VhostException(name + ": it hung up at once", Recovery.RETRY);
    }
    switch (greeting.frame()) {
      case Frame.Done _ -> {}
      case Frame.Refused(String reason) ->
          throw new VhostException(name + " refused the connection: " + reason, Recovery.RETRY);
      default -> throw unexpected(name, greeting);
    }
  }

  @Override
  public synchronized void put(String name, OwnedDescriptor descriptor) {
    StoredName.require(name);
    tell(new Frame.Put(name), List.of(descriptor));
  }

  @Override
  public synchronized void remove(String name) {
    StoredName.require(name);
    tell(new Frame.Remove(name), List.of());
  }

  @Override
  public synchronized Map<String, OwnedDescriptor> takeUp() {
    Deadline deadline = Deadline.after(patience);
    Map<String, OwnedDescriptor> taken = new HashMap<>();
    boolean all = false;
    try {
      String last = "";
      while (true) {
        FrameStream.Received answer = ask(new Frame.Next(last), List.of(), deadline);
        OwnedDescriptor descriptor = answer.descriptor();
        if (!(answer.frame() instanceof Frame.Entry(String name)) || descriptor == null) {
          requireDone(answer);
          all = true;
          return taken;
        }
        taken.merge(name, descriptor, KeeperStore::firstOf);
        if (name.compareTo(last) <= 0) {
          throw failed(unexpected(this.name, answer));
        }
        last = name;
      }
    } finally {
      if (!all) {
        taken.values().forEach(OwnedDescriptor::close);
      }
    }
  }

  /** A keeper that gives a name twice gives nonsense: nothing of it stays open. */
  private static OwnedDescriptor firstOf(OwnedDescriptor one, OwnedDescriptor other) {
    other.close();
    return one;
  }

  @Override
  public synchronized void requirePresent() {
    if (broken != null) {
      throw givenUp(broken);
    }
    try (Poller poller = new Poller(1)) {
      poller.add(stream.number(), Poller.IN);
      if (poller.await(0) != 0) { // it says nothing by itself
        throw failed(hungUp());
      }
    }
  }

  private VhostException givenUp(VhostException why) {
    return new VhostException(name + " was given up: " + why.getMessage(), Recovery.RECONNECT, why);
  }

  private VhostException hungUp() {
    return new VhostException(
        name + ": it hung up; what it held is gone if it has ended", Recovery.RECONNECT);
  }

  private void tell(Frame request, List<OwnedDescriptor> descriptors) {
    requireDone(ask(request, descriptors, Deadline.after(patience)));
  }

  private void requireDone(FrameStream.Received answer) {
    switch (answer.frame()) {
      case Frame.Done _ -> {}
      case Frame.Refused(String reason) ->
          throw new VhostException(name + " refused: " + reason, Recovery.GIVE_UP);
      default -> throw failed(unexpected(name, answer));
    }
  }

  private FrameStream.Received ask(
      Frame request, List<OwnedDescriptor> descriptors, Deadline deadline) {
    if (broken != null) {
      throw givenUp(broken);
    }
    try {
      stream.send(request, descriptors, deadline);
      FrameStream.Received answer = stream.receive(deadline);
      if (answer == null) {
        throw hungUp();
      }
      return answer;
    } catch (VhostException e) {
      throw failed(e);
    }
  }

  private VhostException failed(VhostException e) {
    broken = e;
    stream.close();
    return e;
  }

  private static VhostException unexpected(String name, FrameStream.Received answer) {
    OwnedDescriptor descriptor = answer.descriptor();
    if (descriptor != null) {
      descriptor.close();
    }
    return new VhostException(
        name + " answered with " + answer.frame() + ", which is no answer to that",
        Recovery.GIVE_UP);
  }

  @Override
  public synchronized void close() {
    if (broken == null) {
      broken = new VhostException("it was closed", Recovery.GIVE_UP);
    }
    stream.close();
  }
}
