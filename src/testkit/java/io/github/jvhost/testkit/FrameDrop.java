package io.github.jvhost.testkit;

/**
 * Why a mock back end dropped a frame. Each drop is counted, so a frame that is missing and not
 * counted was lost.
 */
public enum FrameDrop {
  /** A frame for the guest while no RX ring was started. */
  RX_STOPPED,
  /** A frame for the guest while all started RX rings were disabled. */
  RX_DISABLED,
  /** A frame for the guest that did not fit into the buffers of its RX ring. */
  RX_NO_BUFFERS,
  /** A frame for the guest whose buffer, or that of a frame before it, had no translation. */
  RX_NOT_TRANSLATED,
  /**
   * A frame of the guest taken from a started but disabled TX ring (specification, "Ring states").
   */
  TX_DISABLED
}
