/**
 * What tests of a front end, of a back end or of a VMM use: a mock back end, a guest, a switch,
 * captures and real back ends.
 */
module io.github.jvhost.testkit {
  requires transitive io.github.jvhost;
  requires static transitive org.jspecify;
  // The package junit's alone. Not transitive: whoever tests without JUnit has no such module.
  requires static org.junit.jupiter.api;
  requires io.netty.buffer;
  requires org.newsclub.net.unix;
  requires org.slf4j;
  requires com.fasterxml.jackson.core;

  exports io.github.jvhost.testkit;
  exports io.github.jvhost.testkit.dpdk;
  exports io.github.jvhost.testkit.guest;
  exports io.github.jvhost.testkit.junit;
  exports io.github.jvhost.testkit.net;
  exports io.github.jvhost.testkit.ovs;
  exports io.github.jvhost.testkit.preview;
  exports io.github.jvhost.testkit.probe;
  exports io.github.jvhost.testkit.process;
  exports io.github.jvhost.testkit.qemu;
  exports io.github.jvhost.testkit.scenario;
  exports io.github.jvhost.testkit.trace;
}
