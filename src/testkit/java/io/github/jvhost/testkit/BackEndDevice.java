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
 * own, shared objects and shared memory regions. A test fills it in. It keeps its contents across
 * connections.
 *
 * <p>Thread-safe.
 */
public final class BackEndDevice implements AutoCloseable {
  /** What goes wrong with a transfer of the device's state. */
  public enum StateFault {
    /** No fault. */
    NONE,
    /** After half of the state the back end stops writing or reading, and leaves the pipe open. */
    STALLS,
    /** The back end closes the pipe after half of the state. */
    ENDS_EARLY,
    /** A save never ends: the back end writes the state again and again. */
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

  /**
   * Creates a device with an empty configuration space that no driver may write, an empty state,
   * and no shared objects.
   */
  public BackEndDevice() {
    Arrays.fill(regions, 0L);
  }

  /**
   * Replaces the configuration space.
   *
   * @param bytes its first bytes, at most 256; copied. The remaining bytes become zero
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
   * Lets a driver write more bytes of the configuration space. By default it may write none.
   *
   * @param offset the first of them, counted from 0
   * @param length how many
   */
  public synchronized void driverMayWrite(int offset, int length) {
    writable.set(offset, offset + length);
  }

  /**
   * Sets the state that a save writes. It is empty by default.
   *
   * @param bytes all of it; copied
   */
  public synchronized void state(byte[] bytes) {
    state = bytes.clone();
  }

  /**
   * Sets the state that a load must bring; CHECK_DEVICE_STATE fails on any other. By default every
   * state is accepted.
   *
   * @param bytes all of it; copied
   */
  public synchronized void expectState(byte[] bytes) {
    expected = bytes.clone();
  }

  /** {@return a copy of the state of the last complete load; empty before the first} */
  public synchronized Optional<byte[]> loadedState() {
    return Optional.ofNullable(loaded).map(byte[]::clone);
  }

  /**
   * Sets the fault of all transfers that begin from now on. By default there is none.
   *
   * @param what the fault; {@link StateFault#NONE} for none
   */
  public synchronized void stateFault(StateFault what) {
    fault = what;
  }

  /**
   * Chooses the pipe of all transfers that begin from now on: the front end's, or one that the back
   * end creates and sends with its answer. By default the front end's pipe is used.
   *
   * @param own true for the back end's pipe
   */
  public synchronized void ownPipe(boolean own) {
    ownPipe = own;
  }

  /**
   * Offers a shared object.
   *
   * @param uuid its name
   * @param file its descriptor; this object owns it from now on
   */
  public synchronized void share(UUID uuid, OwnedDescriptor file) {
    OwnedDescriptor before = objects.put(uuid, file);
    if (before != null) {
      before.close();
    }
  }

  /**
   * Sets the size of a shared memory region. By default there are no regions.
   *
   * @param region its number, 0 to 255
   * @param bytes its size; 0 removes the region
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

  /**
   * Returns a duplicate of an object's descriptor, which the caller owns, or null if there is no
   * such object.
   */
  synchronized @Nullable OwnedDescriptor shared(UUID uuid) {
    OwnedDescriptor file = objects.get(uuid);
    return file == null ? null : file.duplicate();
  }

  synchronized Bytes read(int offset, int length) {
    return Bytes.copyOf(Arrays.copyOfRange(config, offset, offset + length));
  }

  /** Applies SET_CONFIG. Returns false if a driver may not write one of the bytes. */
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

  /** Keeps a loaded state. Returns false if another state was expected. */
  synchronized boolean load(byte[] bytes) {
    loaded = bytes.clone();
    return expected == null || Arrays.equals(expected, loaded);
  }

  /** Closes the shared objects. */
  @Override
  public synchronized void close() {
    objects.values().forEach(OwnedDescriptor::close);
    objects.clear();
  }
}
