/**
 * The sockets that both sides of a connection use: to connect, listen, take over, read and write.
 * The package is not exported, because it names types of the socket library.
 *
 * <pre>
 *   path -------&gt; Connector --------+
 *   path -------&gt; ListeningSocket --+--&gt; a connected socket --&gt; SocketStream: read, write, await
 *   descriptor -&gt; AdoptedSocket ----+
 *
 *   path or abstract name -&gt; DatagramTarget: send
 * </pre>
 */
@NullMarked
package io.github.jvhost.channel.socket;

import org.jspecify.annotations.NullMarked;
