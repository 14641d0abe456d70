package io.github.jvhost.vhost;

/** The observer of what is not meant: neither an embedder nor a flight recording hears of it. */
enum Rehearsed implements Observer {
  SILENTLY
}
