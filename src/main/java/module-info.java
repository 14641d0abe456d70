/**
 * A vhost-user front end for the JVM. {@link io.github.jvhost.vhost} and {@link
 * io.github.jvhost.migration} are what an embedder begins with.
 */
@SuppressWarnings("module") // the testkit is compiled after this
module io.github.jvhost {
  requires static transitive org.jspecify;
  requires transitive io.netty.buffer;
  requires org.newsclub.net.unix;
  // Without it junixsocket silently does not find its native library on the module path.
  requires com.kohlschutter.junixsocket.nativecommon;
  requires org.slf4j;
  requires jdk.jfr;
  requires com.fasterxml.jackson.core;

  exports io.github.jvhost;
  exports io.github.jvhost.sys;
  exports io.github.jvhost.sys.io to
      io.github.jvhost.testkit;
  exports io.github.jvhost.protocol;
  exports io.github.jvhost.channel to
      io.github.jvhost.testkit;
  exports io.github.jvhost.channel.backend to
      io.github.jvhost.testkit;
  exports io.github.jvhost.memory;
  exports io.github.jvhost.virtio;
  exports io.github.jvhost.vhost;
  exports io.github.jvhost.vhost.plan;
  exports io.github.jvhost.vhost.user to
      io.github.jvhost.testkit;
  exports io.github.jvhost.mediate;
  exports io.github.jvhost.vmstate;
  exports io.github.jvhost.migration;
}
