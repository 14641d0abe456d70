package io.github.jvhost.testkit.qemu;

/**
 * How many pings went through one network device of a {@link QemuGuest}, as the guest's kernel has
 * counted since it booted.
 *
 * @param nic the device's number, from 0
 * @param sent echo requests
 * @param answered echo replies
 */
public record PingCount(int nic, long sent, long answered) {
  /** {@return how many were lost so far, or are still on their way} */
  public long unanswered() {
    return sent - answered;
  }
}
