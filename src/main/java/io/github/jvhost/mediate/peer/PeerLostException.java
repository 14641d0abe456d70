package io.github.jvhost.mediate.peer;

/** A connection is over. The message says why, as a part of a sentence. */
final class PeerLostException extends Exception {
  private static final long serialVersionUID = 1L;

  PeerLostException(String why) {
    super(why);
  }
}
