package io.github.jvhost.testkit;

import io.github.jvhost.Bytes;
import io.github.jvhost.protocol.ConfigSpace;
import io.github.jvhost.protocol.ShmemConfig;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a mock back end's device holds besides its rings: the configuration space, a state of its
 * own, shared objects and shared memory regions. A test fills it in; it outlives connections.
 *
 * <p>Thread-safe.
 */
public final class BackEndDevice implements AutoCloseable {
  /** What goes wrong with a transfer of the device's state. */
  public enum StateFault {
    /** Nothing. */
    NONE,
    /** After half of the state nothing is written or read any more, and nothing is closed. */
    STALLS,
    /** The pipe is closed after half of the state. */
    ENDS_EARLY,
    /** A save never ends: the state is written again and again. */
    NEVER_ENDS
  }

  private final byte[] config = new byte[ConfigSpace.MAX_BYTES];
  private final BitSet writable = new BitSet(ConfigSpace.MAX_BYTES);
  private final Map<UUID, OwnedDescriptor> objects = new HashMap<>();
  private final Long[] regions = new Long[ShmemConfig.ENTRIES];
  private byte[] state = new byte[0];
  private byte @Nullable [] expected;
  private byte @Nullable [] loaded;
  private StateFault fault = StateFault.NONE;
  private boolean ownPipe;

  /** An empty configuration space that no driver may write, an empty state, nothing shared. */
  public BackEndDevice() {
    Arrays.fill(regions, 0L);
  }

  /**
   * Replaces the configuration space.
   *
   * @param bytes its beginning, at most 256 bytes; copied, and the rest becomes zero
   */
  public synchronized void config(byte[] bytes) {
    if (bytes.length > config.length) {
      throw new IllegalArgumentException("a configuration space of " + bytes.length + " bytes");
    }
    Arrays.fill(config, (byte) 0);
    System.arraycopy(bytes, 0, config, 0, bytes.length);
  }

  /** {@return all 256 bytes of the configuration space, copied} */
  public synchronized byte[] config() {
    return config.clone();
  }

  /**
   * Lets a driver write more bytes of the configuration space; at first it may write none.
   *
   * @param offset the first of them, counted from 0
   * @param length how many
   */
  public synchronized void driverMayWrite(int offset, int length) {
    writable.set(offset, offset + length);
  }

  /**
   * Sets the state that a save writes; empty at first.
   *
   * @param bytes all of it; copied
   */
  public synchronized void state(byte[] bytes) {
    state = bytes.clone();
  }

  /**
   * Sets the state that a load has to bring, or CHECK_DEVICE_STATE fails; at first any does.
   *
   * @param bytes all of it; copied
   */
  public synchronized void expectState(byte[] bytes) {
    expected = bytes.clone();
  }

  /** {@return what the last load that came to its end brought, copied; empty before the first} */
  public synchronized Optional<byte[]> loadedState() {
    return Optional.ofNullable(loaded).map(byte[]::clone);
  }

  /**
   * Sets what goes wrong with transfers that begin from here on; nothing at first.
   *
   * @param what the fault; {@link StateFault#NONE} for none
   */
  public synchronized void stateFault(StateFault what) {
    fault = what;
  }

  /**
   * Says whether transfers that begin from here on go through a pipe of the back end's own, which
   * comes with the answer and takes the place of the front end's; at first they do not.
   *
   * @param own true for such a pipe
   */
  public synchronized void ownPipe(boolean own) {
    ownPipe = own;
  }

  /**
   * Offers an object.
   *
   * @param uuid its name
   * @param file from here on this object's
   */
  public synchronized void share(UUID uuid, OwnedDescriptor file) {
    OwnedDescriptor before = objects.put(uuid, file);
    if (before != null) {
      before.close();
    }
  }

  /**
   * Says how large a shared memory region is; at first there is none.
   *
   * @param region its number, 0 to 255
   * @param bytes its size; 0 for no such region
   */
  public synchronized void sharedMemory(int region, long bytes) {
    regions[region] = bytes;
  }

  synchronized ShmemConfig sharedMemory() {
    return new ShmemConfig(Arrays.asList(regions.clone()));
  }

  synchronized boolean shares(UUID uuid) {
    return objects.containsKey(uuid);
  }

  /** A duplicate of an object's descriptor, the caller's; null without one. */
  synchronized @Nullable OwnedDescriptor shared(UUID uuid) {
    OwnedDescriptor file = objects.get(uuid);
    return file == null ? null : file.duplicate();
  }

  synchronized Bytes read(int offset, int length) {
    return Bytes.copyOf(Arrays.copyOfRange(config, offset, offset + length));
  }

  /** Takes SET_CONFIG; false where a driver may not write one of the bytes. */
  synchronized boolean write(ConfigSpace piece) {
    int end = piece.offset() + piece.content().size();
    if (piece.flags() != ConfigSpace.LIVE_MIGRATION
        && writable.get(piece.offset(), end).cardinality() != end - piece.offset()) {
      return false;
    }
    System.arraycopy(piece.content().toArray(), 0, config, piece.offset(), end - piece.offset());
    return true;
  }

  synchronized byte[] stateToSave() {
    return state.clone();
  }

  synchronized boolean hasOwnPipe() {
    return ownPipe;
  }

  synchronized StateFault fault() {
    return fault;
  }

  /** Keeps a state that was loaded; false where another one was expected. */
  synchronized boolean load(byte[] bytes) {
    loaded = bytes.clone();
    return expected == null || Arrays.equals(expected, loaded);
  }

  /** Closes what is shared. */
  @Override
  public synchronized void close() {
    objects.values().forEach(OwnedDescriptor::close);
    objects.clear();
  }
}
