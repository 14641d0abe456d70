/**
 * A vhost-user front end for the JVM. {@link io.github.jvhost.vhost} and {@link
 * io.github.jvhost.migration} are what an embedder begins with, {@link io.github.jvhost.testkit} is
 * what its tests use.
 */
module io.github.jvhost {
  requires static transitive org.jspecify;
  requires transitive io.netty.buffer;
  requires org.newsclub.net.unix;
  // Without it junixsocket silently does not find its native library on the module path.
  requires com.kohlschutter.junixsocket.nativecommon;
  requires org.slf4j;
  requires jdk.jfr;
  // What a JVM was started with: benchmarks start another one like it.
  requires static java.management;
  requires static info.picocli;
  requires static HdrHistogram;
  // The benchmarks count what a thread allocates.
  requires static jdk.management;
  requires com.fasterxml.jackson.core;

  exports io.github.jvhost;
  exports io.github.jvhost.sys;
  exports io.github.jvhost.protocol;
  exports io.github.jvhost.channel;
  exports io.github.jvhost.memory;
  exports io.github.jvhost.virtio;
  exports io.github.jvhost.vhost;
  exports io.github.jvhost.vmstate;
  exports io.github.jvhost.migration;
  exports io.github.jvhost.testkit;
  exports io.github.jvhost.testkit.dpdk;
  exports io.github.jvhost.testkit.guest;
  exports io.github.jvhost.testkit.net;
  exports io.github.jvhost.testkit.ovs;
  exports io.github.jvhost.testkit.probe;
  exports io.github.jvhost.testkit.process;
  exports io.github.jvhost.testkit.qemu;
  exports io.github.jvhost.testkit.ram;
  exports io.github.jvhost.testkit.scenario;
  exports io.github.jvhost.testkit.trace;

  // The command is no library; picocli fills its options in.
  opens io.github.jvhost.cli to
      info.picocli;
}
