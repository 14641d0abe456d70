package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

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
  private static final Duration BUSY = Duration.ofSeconds(1);

  private final Map<String, Nic> nics = new LinkedHashMap<>();

  private Mediator() {}

  /**
   * Begins to mediate.
   *
   * @param nics each with another name
   * @param ledger where descriptors are recorded while the mediator has them
   * @return the mediator, which the caller closes
   * @throws VhostException (GIVE_UP) if it cannot listen for a front end; nothing is left then
   */
  public static Mediator start(List<NicOptions> nics, DescriptorLedger ledger) {
    var mediator = new Mediator();
    boolean done = false;
    try {
      for (NicOptions options : nics) {
        if (mediator.nics.containsKey(options.name())) {
          throw new VhostException("two NICs are named " + options.name(), Recovery.GIVE_UP);
        }
        mediator.nics.put(options.name(), Nic.start(options, ledger));
      }
      done = true;
      return mediator;
    } finally {
      if (!done) {
        mediator.close();
      }
    }
  }

  /**
   * {@return what is going on, one entry a NIC, in the order in which they were given} A NIC that
   * waits for its switch and cannot answer within a second is left out.
   */
  public List<NicStatus> status() {
    List<NicStatus> all = new ArrayList<>();
    for (Nic nic : nics.values()) {
      try {
        all.add(ask(nic, Nic::status, BUSY));
      } catch (VhostException e) {
        // It is left out.
      }
    }
    return all;
  }

  private static <T> T ask(Nic nic, Function<Nic, T> question, Duration within) {
    var answer = new CompletableFuture<T>();
    nic.post(() -> {
      try {
        answer.complete(question.apply(nic));
      } catch (RuntimeException e) {
        answer.completeExceptionally(e);
      }
    });
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

  /** Ends all NICs. The front ends see a hang-up; the switches stop serving. */
  @Override
  public void close() {
    nics.values().forEach(Nic::close);
    nics.clear();
  }
}
