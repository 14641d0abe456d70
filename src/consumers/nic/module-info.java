/** A program that uses the library, and nothing else of jvhost. */
module consumer.nic {
  requires transitive io.github.jvhost;

  exports consumer.nic;
}
