package io.github.jvhost.testkit.guest;

import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.virtio.MacAddress;

/**
 * The guest's data about one NIC, in guest memory.
 *
 * <pre>
 *   0      4       8       16       24     28      32      36     40       48        56        60     64     72
 *   +------+-------+-------+--------+------+-------+-------+------+--------+---------+---------+------+------+-----
 *   |  ip  | header| mac   | wanted | max  | pairs | wanted| set- | feat-  | next    | announce| set  | set 0| set 1
 *   |      | bytes |       | mac    | pairs| in use| pairs | up pr| ures   | sequence| steps   | in use      |
 *   +------+-------+-------+--------+------+-------+-------+------+--------+---------+---------+------+------+-----
 *   a set: for each ring that was set up the gpa of its queue block, then the control queue's block
 * </pre>
 *
 * There are two sets, because a driver that starts again after a reset uses other ring addresses
 * than before.
 */
record NicBlock(GuestRam ram, long gpa) {
  static final int BYTES = 128;

  /** The steps of an announcement that remain. */
  static final int SEND = 1;

  static final int ACKNOWLEDGE = 2;

  Ipv4Address ip() {
    return new Ipv4Address(ram.getInt(gpa));
  }

  void ip(Ipv4Address value) {
    ram.putInt(gpa, value.value());
  }

  int headerBytes() {
    return ram.getInt(gpa + 4);
  }

  void headerBytes(int value) {
    ram.putInt(gpa + 4, value);
  }

  MacAddress mac() {
    return new MacAddress(ram.getLong(gpa + 8) & 0xffff_ffff_ffffL);
  }

  void mac(MacAddress value) {
    ram.putLong(gpa + 8, value.value());
  }

  MacAddress wantedMac() {
    return new MacAddress(ram.getLong(gpa + 16) & 0xffff_ffff_ffffL);
  }

  void wantedMac(MacAddress value) {
    ram.putLong(gpa + 16, value.value());
  }

  int maxPairs() {
    return ram.getInt(gpa + 24);
  }

  void maxPairs(int value) {
    ram.putInt(gpa + 24, value);
  }

  int pairs() {
    return ram.getInt(gpa + 28);
  }

  void pairs(int value) {
    ram.putInt(gpa + 28, value);
  }

  int wantedPairs() {
    return ram.getInt(gpa + 32);
  }

  void wantedPairs(int value) {
    ram.putInt(gpa + 32, value);
  }

  int setUpPairs() {
    return ram.getInt(gpa + 36);
  }

  void setUpPairs(int value) {
    ram.putInt(gpa + 36, value);
  }

  long features() {
    return ram.getLong(gpa + 40);
  }

  void features(long value) {
    ram.putLong(gpa + 40, value);
  }

  long nextSequence() {
    return ram.getLong(gpa + 48);
  }

  void nextSequence(long value) {
    ram.putLong(gpa + 48, value);
  }

  int announceSteps() {
    return ram.getInt(gpa + 56);
  }

  void announceSteps(int value) {
    ram.putInt(gpa + 56, value);
  }

  int setInUse() {
    return ram.getInt(gpa + 60) & 1;
  }

  void setInUse(int value) {
    ram.putInt(gpa + 60, value);
  }

  /** Returns the address of a set's list of queue blocks, or 0 if the set was never used. */
  long set(int which) {
    return ram.getLong(gpa + 64 + 8L * which);
  }

  void set(int which, long value) {
    ram.putLong(gpa + 64 + 8L * which, value);
  }
}
