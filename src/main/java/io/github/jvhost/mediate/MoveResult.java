package io.github.jvhost.mediate;

/**
 * A NIC that was moved to another switch.
 *
 * @param to where the switch is that serves it now
 * @param micros from the stop at the old switch until the new one had started, in microseconds
 */
public record MoveResult(String to, long micros) {}
