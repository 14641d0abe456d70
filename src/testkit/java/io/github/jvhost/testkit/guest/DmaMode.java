package io.github.jvhost.testkit.guest;

/**
 * What a guest's drivers tell their devices in place of guest addresses, where a device offers
 * ACCESS_PLATFORM. Without that feature they tell guest addresses.
 */
public enum DmaMode {
  /** Guest addresses, as if no IOMMU stood between. */
  GUEST_ADDRESSES(0),
  /** I/O virtual addresses. Rings and buffers are mapped once and stay mapped. */
  STATIC(1),
  /**
   * The same, but the buffer of each frame that is sent is mapped just before and unmapped when it
   * was used, as Linux's kernel drivers do. The addresses come round: each one leads to another
   * buffer the next time.
   */
  PER_FRAME(2);

  /** As the guest writes it into its memory. */
  final int number;

  DmaMode(int number) {
    this.number = number;
  }

  static DmaMode of(int number) {
    for (DmaMode mode : values()) {
      if (mode.number == number) {
        return mode;
      }
    }
    throw new IllegalArgumentException("DMA mode " + number);
  }
}
