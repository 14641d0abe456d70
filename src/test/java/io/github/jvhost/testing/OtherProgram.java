package io.github.jvhost.testing;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;

/**
 * The front end of somebody else, as short as one can be: it asks for the features, says SET_OWNER,
 * and stays until the back end goes. It uses nothing of this project.
 */
final class OtherProgram {
  private static final int VERSION_1 = 1;
  private static final int GET_FEATURES = 1;
  private static final int SET_OWNER = 3;

  private OtherProgram() {}

  /** Its only argument is the socket. */
  public static void main(String[] arguments) throws IOException {
    try (SocketChannel socket = SocketChannel.open(UnixDomainSocketAddress.of(arguments[0]))) {
      say(socket, GET_FEATURES);
      ByteBuffer answer = ByteBuffer.allocate(12 + 8);
      while (answer.hasRemaining() && socket.read(answer) >= 0) {
        // the rest of it is still to come
      }
      say(socket, SET_OWNER);
      while (socket.read(ByteBuffer.allocate(1)) >= 0) {
        // nobody asked, but the connection is there
      }
    }
  }

  private static void say(SocketChannel socket, int request) throws IOException {
    ByteBuffer header = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
    header.putInt(request).putInt(VERSION_1).putInt(0).flip();
    while (header.hasRemaining()) {
      socket.write(header);
    }
  }
}
