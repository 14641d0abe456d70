/**
 * The sockets below both sides of a connection: connecting, listening, taking over, reading and
 * writing. Not exported: it names the types of the socket library.
 *
 * <pre>
 *   path -------&gt; Connector --------+
 *   path -------&gt; ListeningSocket --+--&gt; a connected socket --&gt; SocketStream: read, write, await
 *   descriptor -&gt; AdoptedSocket ----+
 * </pre>
 */
@NullMarked
package io.github.jvhost.channel.socket;

import org.jspecify.annotations.NullMarked;
