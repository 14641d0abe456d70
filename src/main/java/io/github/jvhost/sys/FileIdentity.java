package io.github.jvhost.sys;

/**
 * Which open file a descriptor stands for. It survives {@code dup}, and a file that is opened again
 * is another one, so it is what configurations compare: "does the back end already hold
 * <em>this</em> eventfd?". A descriptor's number can answer that neither way.
 *
 * @param serial unique among all ledgers of the process
 * @param what what the file is for, for people: "eventfd ring 3 kick"
 */
public record FileIdentity(long serial, String what) {
  /** How many low bits of a serial count within its ledger; those above tell the ledgers apart. */
  static final int COUNTER_BITS = 32;

  @Override
  public String toString() {
    return what + " #" + (serial & ((1L << COUNTER_BITS) - 1));
  }
}
