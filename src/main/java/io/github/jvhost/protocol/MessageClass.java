package io.github.jvhost.protocol;

/**
 * How much work an answer may stand for, which is what a deadline has to know. A message belongs to
 * the class of the most that some back end does before it answers.
 */
public enum MessageClass {
  /** Something is read; nothing changes. */
  QUESTION,
  /** Something is written down. */
  SETTING,
  /** Memory is mapped, unmapped, pinned or registered with hardware. */
  MEMORY,
  /** Rings are drained, hardware is stopped. */
  STOP,
  /** Rings or hardware may start. */
  START,
  /** All of a back end's state, or all of guest memory, goes from one place to another. */
  TRANSFER
}
