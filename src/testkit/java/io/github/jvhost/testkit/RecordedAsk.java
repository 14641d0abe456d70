package io.github.jvhost.testkit;

import org.jspecify.annotations.Nullable;

/**
 * One request that a mock back end sent on its own channel.
 *
 * @param nanos when it was answered, or sent if no answer was awaited, on the clock of {@link
 *     System#nanoTime()}
 * @param connection on which connection, counted from 1
 * @param id the number on the wire
 * @param result the front end's answer; null if the back end did not wait for one
 */
public record RecordedAsk(long nanos, int connection, int id, @Nullable Long result) {}
