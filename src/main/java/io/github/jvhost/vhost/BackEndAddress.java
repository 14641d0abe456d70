package io.github.jvhost.vhost;

import io.github.jvhost.sys.OwnedDescriptor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/**
 * How a device reaches its back end.
 *
 * <p>Immutable, and so thread-safe, except for what {@link Listening} and {@link Connected} refer
 * to.
 */
public sealed interface BackEndAddress {
  /** A vhost-user back end, at the other end of a socket. */
  sealed interface OfVhostUser extends BackEndAddress {}

  /**
   * The back end listens. The front end connects, as often as needed.
   *
   * @param path of its socket, at most 107 bytes
   */
  record Socket(Path path) implements OfVhostUser {
    @Override
    public String toString() {
      return path.toString();
    }
  }

  /**
   * The front end listens. The back end connects, as often as needed.
   *
   * @param listener its owner keeps it, and closes it when no back end is wanted any more
   */
  record Listening(FrontEndListener listener) implements OfVhostUser {
    @Override
    public String toString() {
      return "whoever connects to " + listener.path();
    }
  }

  /**
   * A connection that somebody else made. It can be used once. When it is lost it cannot be made
   * again.
   *
   * @param socket of the AF_UNIX family, connected; the channel owns it from its use on
   */
  record Connected(OwnedDescriptor socket) implements OfVhostUser {
    @Override
    public String toString() {
      return "the given " + socket.identity();
    }
  }

  /**
   * vhost-net of the kernel, with a tap. This process opens {@code /dev/vhost-net} once for each
   * queue pair, and a queue of the tap. There is one back end of this kind, so dialect, profile,
   * protocol features and reply deadlines of the options do not count.
   *
   * @param name of the interface, 1 to 15 bytes. It has to be there: one that this process made
   *     would be in no bridge
   * @param queuePairs as many as the device has, 1 or more; for more than one the interface needs
   *     multi_queue
   */
  record Tap(String name, int queuePairs) implements BackEndAddress {
    private static final int MOST_BYTES = 15;

    /** Checks the name, as Linux does, and the number of queue pairs. */
    public Tap {
      int bytes = name.getBytes(StandardCharsets.UTF_8).length;
      // With a % the kernel would choose a name, and another one for each queue.
      boolean allowed =
          name.chars().noneMatch(c -> Character.isWhitespace(c) || "/:%".indexOf(c) >= 0);
      if (bytes < 1 || bytes > MOST_BYTES || !allowed || name.equals(".") || name.equals("..")) {
        throw new IllegalArgumentException(
            "\"%s\" is no name of an interface: 1 to 15 bytes, none of them blank, /, : or %%"
                .formatted(name));
      }
      if (queuePairs < 1) {
        throw new IllegalArgumentException(queuePairs + " queue pairs");
      }
    }

    @Override
    public String toString() {
      return "the tap " + name;
    }
  }

  /**
   * The same with a tap whose queues somebody else has opened, with the flags VNET_HDR and NO_PI.
   *
   * @param queues one for each queue pair; their owner keeps them, as long as the device is open
   */
  record TapQueues(List<OwnedDescriptor> queues) implements BackEndAddress {
    /** Copies the list, which has one queue at least. */
    public TapQueues {
      queues = List.copyOf(queues);
      if (queues.isEmpty()) {
        throw new IllegalArgumentException("a tap without a queue");
      }
    }

    @Override
    public String toString() {
      return "the given queues of a tap";
    }
  }

  /**
   * A vDPA device of the kernel. As with a tap, dialect, profile, protocol features and reply
   * deadlines of the options do not count.
   *
   * @param node {@code /dev/vhost-vdpa-0}, for example. One process at a time can have it open
   * @param startsEarly whether it can be preset with {@link
   *     io.github.jvhost.vhost.plan.PresetupMode#EXPLICIT}: it is started early on empty rings of
   *     this process, told its MAC address, and suspended, so that hardware does its work before
   *     the stop window. Tried with the kernel's simulator alone
   */
  record Vdpa(Path node, boolean startsEarly) implements BackEndAddress {
    /**
     * A device that is not started early.
     *
     * @param node {@code /dev/vhost-vdpa-0}, for example
     */
    public Vdpa(Path node) {
      this(node, false);
    }

    @Override
    public String toString() {
      return node.toString();
    }
  }
}
