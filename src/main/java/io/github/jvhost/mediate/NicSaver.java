package io.github.jvhost.mediate;

import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.keep.DescriptorStore;
import io.github.jvhost.mediate.keep.StateFile;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Saves one NIC in a {@link DescriptorStore}, for the mediator that comes after this one. The store
 * holds its descriptors, named {@code NIC/1}, {@code NIC/2} and so on, and its state file, named
 * {@code NIC/state}. No name is used twice.
 *
 * <p>If the store fails, saving ends and the NIC goes on. One thread at a time.
 */
final class NicSaver implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(NicSaver.class);

  /** The names that this class gives. */
  private static final Pattern NAME = Pattern.compile("[^/]+/([0-9]{1,18}|" + StateFile.NAME + ")");

  private final String nic;
  private final DescriptorStore store;
  private final DescriptorLedger ledger;
  private final Map<OwnedDescriptor, String> names = new HashMap<>();
  private final Set<OwnedDescriptor> named = new HashSet<>();
  private final StateFile file;
  private long next;
  private @Nullable String failure;

  /**
   * Begins to save a NIC of which nothing is in the store.
   *
   * @throws VhostException if the store does not take the state file
   */
  static NicSaver begin(String nic, DescriptorStore store, DescriptorLedger ledger) {
    StateFile file = StateFile.create(ledger);
    try {
      store.put(nic + "/" + StateFile.NAME, file.descriptor());
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
    return new NicSaver(nic, store, ledger, file);
  }

  /**
   * What an earlier mediator has left of a NIC.
   *
   * @param saver goes on saving it
   * @param saved its state
   * @param files by the names in it; the caller owns them
   */
  record Left(NicSaver saver, SavedNic saved, Map<String, OwnedDescriptor> files) {}

  /**
   * Takes up what an earlier mediator has left.
   *
   * @param all everything that the store had; what belongs to this NIC is taken out of it
   * @return empty if there is nothing that can be read; then nothing of the NIC is in the store
   */
  static Optional<Left> takeUp(
      String nic,
      DescriptorStore store,
      DescriptorLedger ledger,
      Map<String, OwnedDescriptor> all) {
    Map<String, OwnedDescriptor> mine = new HashMap<>();
    for (String name : Set.copyOf(all.keySet())) {
      OwnedDescriptor descriptor = all.get(name);
      if (descriptor != null && NAME.matcher(name).matches() && name.startsWith(nic + "/")) {
        mine.put(name, descriptor);
        all.remove(name);
      }
    }
    OwnedDescriptor state = mine.remove(nic + "/" + StateFile.NAME);
    if (state != null) {
      StateFile file = StateFile.adopt(state);
      try {
        byte[] content = file.read().orElse(null);
        if (content != null) {
          NicSaver saver = new NicSaver(nic, store, ledger, file);
          saver.takeNames(mine);
          return Optional.of(new Left(saver, SavedNic.decode(content), mine));
        }
      } catch (VhostException e) {
        log.warn("{}: {}", nic, e.getMessage());
      }
      file.close();
      store.remove(nic + "/" + StateFile.NAME);
    }
    mine.forEach((name, descriptor) -> {
      descriptor.close();
      store.remove(name);
    });
    return Optional.empty();
  }

  private NicSaver(String nic, DescriptorStore store, DescriptorLedger ledger, StateFile file) {
    this.nic = nic;
    this.store = store;
    this.ledger = ledger;
    this.file = file;
  }

  /** The store holds these already. Those that no state names any more are removed by a write. */
  private void takeNames(Map<String, OwnedDescriptor> held) {
    held.forEach((name, descriptor) -> {
      names.put(descriptor, name);
      next = Math.max(next, Long.parseLong(name.substring(nic.length() + 1)));
    });
  }

  /** {@return a descriptor of a socket that somebody else owns, which the caller closes} */
  OwnedDescriptor handleOf(int socket, String what) {
    return OwnedDescriptor.duplicateOf(ledger, socket, what);
  }

  /** {@return the name of a descriptor in the store, where it is from now on; empty for null} */
  String name(@Nullable OwnedDescriptor descriptor) {
    if (descriptor == null || failure != null) {
      return "";
    }
    named.add(descriptor);
    String known = names.get(descriptor);
    if (known != null) {
      return known;
    }
    String name = nic + "/" + ++next;
    try {
      store.put(name, descriptor);
    } catch (VhostException e) {
      fail(e);
    }
    names.put(descriptor, name);
    return name;
  }

  /** Writes a state, all of whose descriptors were named since the last write. */
  void write(SavedNic state) {
    if (failure != null) {
      return;
    }
    try {
      file.write(state.encoded());
      for (OwnedDescriptor old : Set.copyOf(names.keySet())) {
        if (!named.contains(old)) {
          String name = names.remove(old);
          if (name != null) {
            store.remove(name);
          }
        }
      }
    } catch (VhostException e) {
      fail(e);
    }
    named.clear();
  }

  /** What the store has is out of date from now on, and must not be believed. */
  private void fail(VhostException e) {
    failure = e.getMessage();
    try {
      file.write(new byte[0]);
    } catch (VhostException writing) {
      log.error("{}: its saved state cannot be taken back", nic, writing);
    }
    log.error(
        "{}: it is not saved any more; a mediator that takes over cannot go on with it: {}",
        nic,
        e.getMessage());
  }

  /** {@return why the NIC is not saved any more; null if it is} */
  @Nullable String failure() {
    if (failure == null) {
      try {
        store.requirePresent();
      } catch (VhostException e) {
        fail(e);
      }
    }
    return failure;
  }

  /** Removes the NIC from the store. */
  void forget() {
    if (failure == null) {
      try {
        store.remove(nic + "/" + StateFile.NAME);
        names.values().forEach(store::remove);
      } catch (VhostException e) {
        fail(e);
      }
    }
    names.clear();
  }

  /** Closes the state file. The store keeps what it has. */
  @Override
  public void close() {
    file.close();
  }
}
