package io.github.jvhost.vhost.user;

import io.github.jvhost.channel.BackEndRequestHandler;
import io.github.jvhost.memory.Access;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MmapRequest;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.protocol.VringArea;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.BackEndEvents;
import io.github.jvhost.vhost.plan.MissHandler;
import io.github.jvhost.vhost.plan.Step;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Turns a back end's request into a call of the embedder's {@link BackEndEvents}, and the result
 * into an answer. It keeps the doorbell pages that are mapped, so that they are withdrawn before
 * their ring stops, and the mappings into shared memory regions, so that they end with a reset.
 */
final class BackEndRequestDispatch implements BackEndRequestHandler {
  private static final Logger log = LoggerFactory.getLogger(BackEndRequestDispatch.class);

  private final BackEndEvents events;
  private final IntConsumer call;
  private final MissHandler misses;
  private final Consumer<Step.Translate> send;
  private final List<Integer> doorbells = new ArrayList<>();
  private final SharedMemoryMaps maps = new SharedMemoryMaps();

  /**
   * For one connection.
   *
   * @param events the embedder's
   * @param call signals the call of a ring whose notifications come as messages
   * @param misses answers a back end that lacks a translation
   * @param send sends the back end a step on the main connection
   */
  BackEndRequestDispatch(
      BackEndEvents events, IntConsumer call, MissHandler misses, Consumer<Step.Translate> send) {
    this.events = events;
    this.call = call;
    this.misses = misses;
    this.send = send;
  }

  @Override
  public Answer handle(BackEndRequest request, Payload payload, List<OwnedDescriptor> descriptors) {
    return switch (request) {
      case IOTLB_MSG -> iotlb((Iotlb) payload);
      case CONFIG_CHANGE_MSG -> {
        events.configChanged();
        yield Answer.DONE;
      }
      case VRING_HOST_NOTIFIER_MSG -> doorbell((VringArea) payload, descriptors);
      case VRING_CALL -> {
        call.accept(((VringState) payload).index());
        yield Answer.DONE;
      }
      case VRING_ERR -> {
        events.ringFailed(((VringState) payload).index());
        yield Answer.DONE;
      }
      case SHARED_OBJECT_ADD -> answer(events.sharedObjectAdded((SharedObject) payload));
      case SHARED_OBJECT_REMOVE -> answer(events.sharedObjectRemoved((SharedObject) payload));
      case SHARED_OBJECT_LOOKUP ->
          events
              .sharedObject((SharedObject) payload)
              .map(object -> new Answer(0, object))
              .orElse(Answer.REFUSED);
      case SHMEM_MAP -> map((MmapRequest) payload, descriptors);
      case SHMEM_UNMAP -> answer(maps.unmap((MmapRequest) payload, events::shmemUnmap));
    };
  }

  private Answer iotlb(Iotlb message) {
    switch (message.type()) {
      case Iotlb.MISS -> {
        if (message.permission() == 0) {
          return Answer.REFUSED; // it wants to do nothing there
        }
        misses.missed(message.iova(), Access.of(message.permission())).ifPresent(send);
      }
      case Iotlb.ACCESS_FAIL -> events.iotlbAccessFailed(message);
      default -> {
        return Answer.REFUSED; // only the front end sends updates and invalidations
      }
    }
    return Answer.DONE;
  }

  private Answer doorbell(VringArea area, List<OwnedDescriptor> descriptors) {
    if (area.withoutDescriptor() != descriptors.isEmpty()) {
      return Answer.REFUSED;
    }
    OwnedDescriptor page = descriptors.isEmpty() ? null : descriptors.removeFirst();
    boolean done = events.hostNotifier(area.index(), page, area.offset(), area.length());
    doorbells.remove(Integer.valueOf(area.index()));
    if (done && page != null) {
      doorbells.add(area.index());
    }
    return answer(done);
  }

  private Answer map(MmapRequest request, List<OwnedDescriptor> descriptors) {
    if (descriptors.isEmpty() || !maps.mayMap(request)) {
      return Answer.REFUSED;
    }
    boolean done = events.shmemMap(request, descriptors.removeFirst());
    if (done) {
      maps.mapped(request);
    }
    return answer(done);
  }

  /** Removes all mappings into shared memory: the device was reset, or the connection is over. */
  void endMappings() {
    maps.end(events::shmemUnmap);
  }

  /** Withdraws the page of a ring that is about to stop, if it has one. */
  void dropDoorbell(int ring) {
    if (!doorbells.isEmpty() && doorbells.remove(Integer.valueOf(ring))) {
      try {
        events.hostNotifier(ring, null, 0, 0);
      } catch (Throwable e) { // also an Error
        // The ring stops, or the connection ends, in any case.
        log.warn("ring {}: withdrawing its doorbell page failed: {}", ring, e.toString());
      }
    }
  }

  /** Withdraws all pages: the connection is over. */
  void dropDoorbells() {
    for (int ring : List.copyOf(doorbells)) {
      dropDoorbell(ring);
    }
  }

  private static Answer answer(boolean done) {
    return done ? Answer.DONE : Answer.REFUSED;
  }
}
