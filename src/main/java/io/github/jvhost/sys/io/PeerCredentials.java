package io.github.jvhost.sys.io;

/**
 * Who was at the other end of an AF_UNIX socket when it was connected: the process that connected,
 * or, on the side that connected, the process that called listen. That process may have passed the
 * socket on, or have ended, since then.
 *
 * @param process its number; 0 if it is in a namespace whose processes this one cannot see
 * @param user its effective user then
 * @param group its effective group then
 */
public record PeerCredentials(int process, int user, int group) {
  /**
   * {@return who is at the other end}
   *
   * @param socket the number of a connected socket; its owner keeps it
   * @throws io.github.jvhost.sys.SystemCallException when it is no socket
   */
  public static PeerCredentials of(int socket) {
    int[] ucred = new int[3];
    Linux.check(
        Linux.peerCredentials(socket, ucred),
        "ask who is at the other end of the socket with fd " + socket,
        "getsockopt");
    return new PeerCredentials(ucred[0], ucred[1], ucred[2]);
  }
}
