package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.keep.DescriptorStore;
import io.github.jvhost.mediate.keep.HandedDescriptors;
import io.github.jvhost.mediate.keep.KeeperStore;
import io.github.jvhost.mediate.keep.SystemdStore;
import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.mediate.peer.PeerAddress;
import io.github.jvhost.mediate.peer.PeerLink;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stands between front ends and switches that know nothing of it. Towards a front end it is a back
 * end; towards a switch it is a front end that plans. Packets never pass through it.
 *
 * <pre>
 *   QEMU --vhost-user--&gt; Mediator --vhost-user--&gt; switch
 *     guest memory, kick and call go directly between QEMU's guest and the switch
 * </pre>
 *
 * <p>Each NIC has a thread of its own. Any thread may call the methods.
 */
public final class Mediator implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Mediator.class);
  private static final Duration BUSY = Duration.ofSeconds(1);
  private static final Duration STORING = Duration.ofSeconds(2);
  private static final Duration SLACK = Duration.ofSeconds(40);

  private final Map<String, Nic> nics = new LinkedHashMap<>();
  private final Map<String, PassThrough> passed = new LinkedHashMap<>();
  private final RememberedStarts remembered;

  /** Sockets for switches that operators name. */
  private final SwitchSockets sockets = new SwitchSockets();

  private @Nullable PeerLink peer;
  private @Nullable DescriptorStore store;
  private @Nullable ControlSocket control;

  private Mediator(MediatorOptions options) {
    this.remembered = new RememberedStarts(options.remember());
  }

  /**
   * Begins to mediate.
   *
   * @param options what is to be done
   * @param ledger where descriptors are recorded while the mediator has them
   * @return the mediator, which the caller closes
   * @throws VhostException (GIVE_UP) if it cannot listen for a front end, its peer or operators.
   *     Without a keeper nothing is left then. With one the connections that it has taken up stay
   *     open until this process ends, and the next mediator can take them up
   */
  public static Mediator start(MediatorOptions options, DescriptorLedger ledger) {
    var mediator = new Mediator(options);
    boolean done = false;
    try {
      mediator.listen(options, ledger);
      mediator.startNics(options, ledger);
      if (mediator.peer != null) {
        mediator.peer.begin();
      }
      if (mediator.control != null) {
        mediator.control.begin();
      }
      if (mediator.store instanceof SystemdStore systemd) {
        systemd.ready(mediator.nics.size() + mediator.passed.size() + " NICs");
      }
      done = true;
      return mediator;
    } finally {
      if (!done) {
        mediator.leave(); // what an earlier mediator has left is for the next attempt
      }
    }
  }

  /** Where somebody listens already this fails before any connection is touched. */
  private void listen(MediatorOptions options, DescriptorLedger ledger) {
    PeerAddress address = options.peerAddress();
    if (address != null) {
      peer = PeerLink.open(address, listener(address));
    }
    Path path = options.control();
    if (path != null) {
      control = ControlSocket.listen(path, operations(), ledger);
    }
    for (PassedDevice device : options.passed()) {
      requireNew(device.name());
      passed.put(device.name(), PassThrough.start(device, ledger));
    }
  }

  private void startNics(MediatorOptions options, DescriptorLedger ledger) {
    Map<String, FrontEndLink> links = new HashMap<>();
    Map<String, OwnedDescriptor> left = new HashMap<>();
    try {
      // First of all: where another mediator listens already, nothing is touched.
      for (NicOptions nic : options.nics()) {
        if (!(nic.frontEnd() instanceof FrontEndAddress.Handed) && !links.containsKey(nic.name())) {
          links.put(nic.name(), FrontEndLink.open(nic.frontEnd(), nic.name(), ledger));
        }
      }
      var handed = HandedDescriptors.of(System.getenv(), ledger);
      DescriptorStore kept = storeOf(options, handed, ledger);
      store = kept;
      left = kept == null ? left : kept.takeUp();
      left.putAll(handed.takeUp()); // what the store is not: a socket of a unit beside a keeper
      if (left.isEmpty() && options.rehearsing().isPositive()) { // or front ends may be waiting
        rehearse(options, ledger);
      }
      startNics(
          options,
          links,
          new Nic.Together(
              ledger, new PresetTurns(), this::publish, remembered, kept, left, sockets));
    } finally {
      links.values().forEach(FrontEndLink::close);
      left.forEach((name, file) -> {
        log.warn("the store has {}, and no NIC of this mediator is named so; it stays there", name);
        file.close();
      });
    }
  }

  private static void rehearse(MediatorOptions options, DescriptorLedger ledger) {
    for (BackEndProfile profile :
        options.nics().stream().map(NicOptions::profile).distinct().toList()) {
      log.debug(
          "{} windows were rehearsed for {}",
          NicRehearsal.run(profile, options.rehearsing(), ledger),
          profile);
    }
  }

  private static @Nullable DescriptorStore storeOf(
      MediatorOptions options, HandedDescriptors handed, DescriptorLedger ledger) {
    Path keeper = options.keeper();
    return keeper == null
        ? SystemdStore.of(System.getenv(), handed, STORING).orElse(null)
        : KeeperStore.connect(keeper, ledger, STORING);
  }

  private void startNics(
      MediatorOptions options, Map<String, FrontEndLink> links, Nic.Together together) {
    for (NicOptions nic : options.nics()) {
      requireNew(nic.name());
      remembered.load(nic.name());
      FrontEndLink link = links.remove(nic.name());
      Nic started =
          link == null
              ? Nic.start(handedOver(nic, together.left()), together)
              : Nic.start(nic, link, together);
      nics.put(nic.name(), started);
    }
  }

  /** A NIC whose front end's socket is among what was handed over gets it. */
  private static NicOptions handedOver(NicOptions nic, Map<String, OwnedDescriptor> handed) {
    if (!(nic.frontEnd() instanceof FrontEndAddress.Handed(String name))) {
      return nic;
    }
    OwnedDescriptor socket = handed.remove(name);
    if (socket == null) {
      throw new VhostException(
          "%s: no service manager has handed over a socket with the name %s: FileDescriptorName= of the socket unit sets it"
              .formatted(nic.name(), name),
          Recovery.GIVE_UP);
    }
    return nic.withFrontEnd(new FrontEndAddress.Listening(socket, Path.of("fd:" + name)));
  }

  private void requireNew(String name) {
    if (nics.containsKey(name) || passed.containsKey(name)) {
      throw new VhostException("two NICs are named " + name, Recovery.GIVE_UP);
    }
  }

  private ControlSocket.Operations operations() {
    return new ControlSocket.Operations() {
      @Override
      public List<NicStatus> status() {
        return Mediator.this.status();
      }

      @Override
      public MoveResult move(String nic, String address, Duration within) {
        named(nic);
        return Mediator.this.move(nic, sockets.address(nic, address), within);
      }

      @Override
      public void standby(String nic, @Nullable String address) {
        named(nic);
        Mediator.this.standby(nic, address == null ? null : sockets.address(nic, address));
      }
    };
  }

  private void publish(Hint hint) {
    PeerLink to = peer;
    if (to != null) {
      to.publish(hint);
    }
  }

  private PeerLink.Listener listener(PeerAddress address) {
    return new PeerLink.Listener() {
      @Override
      public void connected() {
        log.info("the peer {} is there", address);
      }

      @Override
      public void received(Hint hint) {
        Nic nic = nics.get(hint.nic());
        if (nic != null) {
          var _ = nic.post(() -> nic.service().early().predict(hint));
        }
      }

      @Override
      public void lost(String reason) {
        log.info("the peer {} is gone: {}", address, reason);
      }
    };
  }

  /**
   * {@return what is going on, one entry a NIC, in the order in which they were given; then those
   * that are passed through} A NIC that waits for its switch and does not say within a second is
   * BUSY.
   */
  public List<NicStatus> status() {
    Map<Nic, CompletableFuture<NicStatus>> asked = new LinkedHashMap<>();
    for (Nic nic : nics.values()) {
      asked.put(nic, ask(nic, Nic::status));
    }
    Deadline deadline = Deadline.after(BUSY);
    List<NicStatus> all = new ArrayList<>();
    asked.forEach((nic, answer) -> {
      try {
        all.add(await(nic, answer, Duration.ofNanos(deadline.remainingNanos())));
      } catch (VhostException e) {
        all.add(NicStatus.busy(nic.options().name()));
      }
    });
    passed.values().forEach(device -> all.add(device.status()));
    return all;
  }

  /**
   * Moves a NIC to another switch while its guest runs. The other switch is told everything early;
   * then the device stops at the old one and starts at the new one.
   *
   * @param nic its name
   * @param where the other switch is
   * @param within how long it may take until the other switch is ready; the guest runs meanwhile
   * @return where it is now
   * @throws VhostException if it was not moved: it runs where it was
   */
  public MoveResult move(String nic, BackEndAddress where, Duration within) {
    Nic named = named(nic);
    CompletableFuture<MoveResult> moved =
        answer(named, n -> n.service().spares().move(where, within));
    return await(named, moved, within.plus(SLACK));
  }

  /**
   * Sets the switch that takes a NIC over when the one that serves it goes away. It is kept preset.
   *
   * @param nic its name
   * @param where the standby is; null: there is none from now on
   * @throws VhostException if there is no such NIC, or it is busy
   */
  public void standby(String nic, @Nullable BackEndAddress where) {
    answer(
        named(nic),
        n -> {
          n.service().spares().standby(where);
          return where == null;
        });
  }

  private Nic named(String name) {
    Nic nic = nics.get(name);
    if (nic == null && passed.containsKey(name)) {
      throw new VhostException(
          "the messages of %s are passed on as they are; it can be neither moved nor replaced"
              .formatted(name),
          Recovery.GIVE_UP);
    }
    if (nic == null) {
      throw new VhostException(
          "there is no NIC %s; there are: %s".formatted(name, String.join(", ", nics.keySet())),
          Recovery.GIVE_UP);
    }
    return nic;
  }

  private static <T> T answer(Nic nic, Function<Nic, T> question) {
    return await(nic, ask(nic, question), BUSY);
  }

  private static <T> CompletableFuture<T> ask(Nic nic, Function<Nic, T> question) {
    var answer = new CompletableFuture<T>();
    boolean asked =
        nic.post(() -> {
          try {
            answer.complete(question.apply(nic));
          } catch (RuntimeException e) {
            answer.completeExceptionally(e);
          }
        });
    if (!asked) {
      throw new VhostException(nic.options().name() + ": the NIC has ended", Recovery.GIVE_UP);
    }
    return answer;
  }

  private static <T> T await(Nic nic, CompletableFuture<T> answer, Duration within) {
    try {
      return answer.get(within.toNanos(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof VhostException known) {
        throw known;
      }
      throw new VhostException(nic.options().name() + ": " + e.getCause(), Recovery.GIVE_UP, e);
    } catch (TimeoutException e) {
      throw new VhostException(
          nic.options().name() + ": the NIC is busy with its switch", Recovery.RETRY, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new VhostException(nic.options().name() + ": interrupted", Recovery.RETRY, e);
    }
  }

  /**
   * Ends so that another mediator goes on: with a keeper, or a service manager that keeps
   * descriptors, the connections stay as they are until this process ends. Without one this is
   * {@link #close}.
   */
  public void leave() {
    end(Nic::leave);
  }

  /** Ends all NICs. The front ends see a hang-up; the switches stop serving. */
  @Override
  public void close() {
    end(Nic::close);
  }

  private void end(Consumer<Nic> ends) {
    if (control != null) {
      control.close();
    }
    if (peer != null) {
      peer.close();
    }
    nics.values().forEach(ends);
    passed.values().forEach(PassThrough::close);
    sockets.close();
    remembered.close();
    if (store != null) {
      store.close();
    }
  }
}
