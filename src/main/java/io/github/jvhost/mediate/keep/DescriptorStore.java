package io.github.jvhost.mediate.keep;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.Map;

/**
 * Another process that holds duplicates of our descriptors, by name, and gives them to the process
 * that comes after us. While it holds one, the file stays open whatever happens to us.
 *
 * <p>A name has 1 to 255 printable ASCII characters and no colon. These are systemd's rules for
 * FDNAME. The rule for the order of calls is in the description of this package.
 *
 * <p>One open file has one name. systemd drops a second descriptor of a file that it holds already,
 * without a word; duplicates, also those that came through a socket, are the same open file.
 *
 * <p>The socket library shuts a socket down when it closes it, for all who hold a duplicate. So a
 * process that shall be taken over from ends without closing its connections.
 *
 * <p>Every call ends within the time that the store was made with. When a call fails our own
 * descriptors are as before. A mediator then logs the failure and goes on. Thread-safe.
 */
public interface DescriptorStore extends AutoCloseable {
  /**
   * Gives the store a duplicate. A descriptor that it has under this name is dropped.
   *
   * @param name see above; a new name for a new file
   * @param descriptor its owner keeps it
   * @throws IllegalArgumentException if the name breaks the rules
   * @throws VhostException if the store did not take it; it may hold it nevertheless
   */
  void put(String name, OwnedDescriptor descriptor);

  /**
   * Makes the store close its duplicate. Does nothing where it has none of this name.
   *
   * @param name see above
   * @throws IllegalArgumentException if the name breaks the rules
   * @throws VhostException if the store did not do it; it may still hold the descriptor
   */
  void remove(String name);

  /**
   * Takes what an earlier process left. The store keeps its own duplicates, under the same names,
   * until they are removed. To be called once, before the first {@link #put}.
   *
   * @return by name; the caller owns the descriptors and may change the map
   * @throws VhostException if the store does not give them; nothing stays open here then
   */
  Map<String, OwnedDescriptor> takeUp();

  /**
   * Looks whether the store is still there. Does not wait.
   *
   * @throws VhostException if it has gone, and with it what it held
   */
  void requirePresent();

  /** Ends the connection to the store, which keeps what it has. A second call does nothing. */
  @Override
  void close();
}
