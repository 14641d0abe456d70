package io.github.jvhost.mediate;

import io.github.jvhost.sys.OwnedDescriptor;
import java.nio.file.Path;

/** Where the front end of a NIC is. */
public sealed interface FrontEndAddress {
  /**
   * The mediator listens, and the front end connects.
   *
   * @param path of the socket, at most 107 bytes. Only a socket that nobody listens on may be
   *     there. The process's umask says who may connect
   */
  record Listen(Path path) implements FrontEndAddress {
    @Override
    public String toString() {
      return path.toString();
    }
  }

  /**
   * The front end listens (QEMU's {@code server=on}), and the mediator connects.
   *
   * @param path of its socket, at most 107 bytes
   */
  record Connect(Path path) implements FrontEndAddress {
    @Override
    public String toString() {
      return "connect:" + path;
    }
  }

  /**
   * A connection that somebody else has made. When it ends there is no other.
   *
   * @param socket of the AF_UNIX family, connected; the NIC owns it from its start on
   */
  record Connected(OwnedDescriptor socket) implements FrontEndAddress {
    @Override
    public String toString() {
      return "the given " + socket.identity();
    }
  }

  /**
   * The mediator listens on a socket that somebody else has made, for example a service manager.
   *
   * @param socket listens; the NIC owns it from its start on
   * @param path its name in messages
   */
  record Listening(OwnedDescriptor socket, Path path) implements FrontEndAddress {
    @Override
    public String toString() {
      return path + " (as it was handed over)";
    }
  }

  /**
   * The mediator listens on a socket that the service manager has handed over: of systemd's socket
   * units the one with this name.
   *
   * @param name as {@code FileDescriptorName=} of the unit has it
   */
  record Handed(String name) implements FrontEndAddress {
    @Override
    public String toString() {
      return "fd:" + name;
    }
  }
}
