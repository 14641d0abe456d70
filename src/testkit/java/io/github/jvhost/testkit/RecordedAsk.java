package io.github.jvhost.testkit;

import org.jspecify.annotations.Nullable;

/**
 * One request that a mock back end sent on its own channel.
 *
 * @param nanos when it was over, on the clock of {@link System#nanoTime()}
 * @param connection on which connection, counted from 1
 * @param id the number on the wire
 * @param result what the front end answered; null where no answer was wanted, or none came
 */
public record RecordedAsk(long nanos, int connection, int id, @Nullable Long result) {}
