/** A program that has jvhost on its module path, and names nothing else. */
module consumer.modular {
  requires io.github.jvhost;
}
