package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.virtio.CommonState;
import io.github.jvhost.virtio.FilterState;
import io.github.jvhost.virtio.HostOffer;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.RssState;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.VirtioNetState;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * What a new field takes: a component of its record, its row, and a value in {@link RandomStates}.
 * Whoever forgets the row, or its place in a description, or how it is shown, fails here.
 */
class EverySavedFieldTest {
  private static final List<Class<? extends Record>> RECORDS =
      List.of(
          HostOffer.class,
          TransportState.Mmio.class,
          TransportState.Pci.class,
          TransportState.Msix.class,
          CommonState.class,
          NetState.class,
          FilterState.class,
          RssState.class,
          SavedQueue.class,
          SavedQueue.Packed.class,
          SavedQueue.Proxy.class);

  /** With this seed every field has changed alone after some 50 states. */
  private static final long SEED = 1;

  /** The first changes with txWaiting, the second with the capability in configSpace. */
  private static final Set<String> NEVER_ALONE = Set.of("NetState.currentQueuePairs", "Pci.msix");

  private static final int PAIRS_OF_STATES = 10_000;

  /** A state in which one field is another one's. */
  private record Changed<T>(String field, T state) {}

  @Test
  void aFieldThatChangesAloneChangesTheSectionAndIsReadAgainAndShown() {
    RandomStates states = new RandomStates(SEED);
    Set<String> fields = fields();
    Set<String> notTravelled = new HashSet<>(fields);
    Set<String> notShown = new HashSet<>(fields);
    // What a host offers shows in which parts a section has, and in nothing else.
    notShown.removeIf(field -> field.startsWith("HostOffer."));
    VirtioNetState before = states.next();
    for (int i = 0; i < PAIRS_OF_STATES && !(notTravelled.isEmpty() && notShown.isEmpty()); i++) {
      VirtioNetState other = states.next();
      for (Changed<VirtioNetState> changed : changedInOne(before, other)) {
        if (notTravelled.remove(changed.field())) {
          travels(changed, before);
        }
        if (notShown.contains(changed.field())
            && !StateDifference.between(before, changed.state()).isEmpty()) {
          notShown.remove(changed.field());
        }
      }
      before = other;
    }

    assertThat(notTravelled).as("fields of which no state has another value alone").isEmpty();
    assertThat(notShown).as("fields that have no row that is shown").isEmpty();
  }

  private static void travels(Changed<VirtioNetState> changed, VirtioNetState before) {
    VirtioNetState state = changed.state();
    byte[] body = VirtioNetVmState.encode(state);

    assertThat(body).as(changed.field()).isNotEqualTo(VirtioNetVmState.encode(before));
    VirtioNetState read = VirtioNetVmState.decode(ByteBuffer.wrap(body), SectionShape.of(state));
    // Printed, a state has thousands of characters.
    assertThat(StateDifference.between(state, read)).as(changed.field()).isEmpty();
    assertThat(read.equals(state)).as(changed.field()).isTrue();
    assertThat(VirtioNetVmState.layout(DeviceRecord.Kind.FINAL, state).size())
        .as(changed.field())
        .isEqualTo(body.length);
  }

  /** "NetState.mac" and so on: the components of all records, those that are records left out. */
  private static Set<String> fields() {
    Set<String> fields = new HashSet<>();
    for (Class<? extends Record> type : RECORDS) {
      for (RecordComponent component : type.getRecordComponents()) {
        if (!RECORDS.contains(component.getType())) {
          fields.add(name(type, component));
        }
      }
    }
    fields.removeAll(NEVER_ALONE);
    return fields;
  }

  private static String name(Class<?> type, RecordComponent component) {
    return type.getSimpleName() + "." + component.getName();
  }

  /** A record again and again, each time with one field of another record of its type. */
  private static <R extends Record> List<Changed<R>> changedInOne(R one, R other) {
    List<Changed<R>> all = new ArrayList<>();
    Object[] from = values(one);
    Object[] to = values(other);
    RecordComponent[] components = one.getClass().getRecordComponents();
    for (int i = 0; i < components.length; i++) {
      for (Changed<?> part : changes(name(one.getClass(), components[i]), from[i], to[i])) {
        Object[] mixed = from.clone();
        mixed[i] = part.state();
        build(one, mixed).ifPresent(built -> all.add(new Changed<>(part.field(), built)));
      }
    }
    return all;
  }

  private static List<? extends Changed<?>> changes(String field, Object from, Object to) {
    if (from.equals(to)) {
      return List.of();
    }
    if (from instanceof Record a
        && to instanceof Record b
        && a.getClass() == b.getClass()
        && RECORDS.contains(a.getClass())) {
      return changedInOne(a, b);
    }
    if (from instanceof Optional<?> a
        && to instanceof Optional<?> b
        && a.isPresent()
        && b.isPresent()) {
      return changes(field, a.get(), b.get()).stream()
          .map(c -> new Changed<Object>(c.field(), Optional.of(c.state())))
          .toList();
    }
    if (from instanceof List<?> a
        && to instanceof List<?> b
        && !a.isEmpty()
        && !b.isEmpty()
        && a.getFirst() instanceof SavedQueue ring
        && b.getFirst() instanceof SavedQueue otherRing) {
      return changedInOne(ring, otherRing).stream()
          .map(c -> {
            List<Object> rings = new ArrayList<>(a);
            rings.set(0, c.state());
            return new Changed<Object>(c.field(), rings);
          })
          .toList();
    }
    return List.of(new Changed<>(field, to));
  }

  private static Object[] values(Record of) {
    return Arrays.stream(of.getClass().getRecordComponents())
        .map(component -> {
          try {
            return component.getAccessor().invoke(of);
          } catch (ReflectiveOperationException e) {
            throw new LinkageError(e.getMessage(), e);
          }
        })
        .toArray();
  }

  /** Empty where the values do not fit together. */
  @SuppressWarnings("unchecked") // It is a record of the same class.
  private static <R extends Record> Optional<R> build(R like, Object[] values) {
    Class<?>[] types =
        Arrays.stream(like.getClass().getRecordComponents())
            .map(RecordComponent::getType)
            .toArray(Class<?>[]::new);
    try {
      Constructor<?> canonical = like.getClass().getDeclaredConstructor(types);
      return Optional.of((R) canonical.newInstance(values));
    } catch (InvocationTargetException e) {
      assertThat(e.getCause()).isInstanceOf(IllegalArgumentException.class);
      return Optional.empty();
    } catch (ReflectiveOperationException e) {
      throw new LinkageError(e.getMessage(), e);
    }
  }
}
