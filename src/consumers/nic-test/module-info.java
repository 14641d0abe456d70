/** The test of that program. It uses the testkit. */
module consumer.nic.test {
  requires consumer.nic;
  requires io.github.jvhost.testkit;
}
