package io.github.jvhost.sys;

/**
 * The open file of a descriptor. A duplicate has the same identity, and a file that is opened again
 * has another one. Configurations compare identities to find out whether the back end already holds
 * <em>this</em> eventfd. The numbers of descriptors cannot answer that.
 *
 * @param serial unique among all ledgers of the process
 * @param what the purpose of the file, for messages: "eventfd ring 3 kick"
 */
public record FileIdentity(long serial, String what) {
  /**
   * The number of low bits of a serial that count within a ledger. The higher bits identify the
   * ledger.
   */
  static final int COUNTER_BITS = 32;

  @Override
  public String toString() {
    return what + " #" + (serial & ((1L << COUNTER_BITS) - 1));
  }
}
