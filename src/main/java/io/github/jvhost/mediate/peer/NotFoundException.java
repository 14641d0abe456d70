package io.github.jvhost.mediate.peer;

/** The guest's memory was not found. The message says why, in a sentence for the operator. */
final class NotFoundException extends Exception {
  private static final long serialVersionUID = 1L;

  NotFoundException(String why) {
    super(why);
  }
}
