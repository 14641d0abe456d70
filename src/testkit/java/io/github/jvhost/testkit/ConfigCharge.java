package io.github.jvhost.testkit;

/**
 * Time that a mock back end spent as if it had configured hardware (modelled).
 *
 * @param startNanos when it began, on the clock of {@link System#nanoTime()}
 * @param micros how long the socket's thread was kept busy, in microseconds
 * @param what the occasion, and what was configured
 */
public record ConfigCharge(long startNanos, long micros, String what) {}
