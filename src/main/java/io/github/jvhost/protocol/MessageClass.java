package io.github.jvhost.protocol;

/**
 * How much work a back end may do before it answers. The deadline of a message depends on it. The
 * class of a message is that of the most work that any back end does.
 */
public enum MessageClass {
  /** The back end reads something and changes nothing. */
  QUESTION,
  /** The back end stores a value. */
  SETTING,
  /** The back end maps, unmaps or pins memory, or registers it with hardware. */
  MEMORY,
  /** The back end drains rings or stops hardware. */
  STOP,
  /** The back end may start rings or hardware. */
  START,
  /** The back end transfers all of its state, or all of guest memory. */
  TRANSFER
}
