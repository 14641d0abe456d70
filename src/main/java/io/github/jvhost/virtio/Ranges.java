package io.github.jvhost.virtio;

/**
 * Range checks of saved fields. They are in a separate class, so that the records that use them do
 * not initialise each other.
 */
final class Ranges {
  private Ranges() {}

  static void check16(int value, String what) {
    if (value < 0 || value > 0xFFFF) {
      throw new IllegalArgumentException(what + " " + value + " does not fit 16 bits");
    }
  }

  static void checkVector(int vector, int vectors) {
    if (vector != SavedQueue.NO_VECTOR && (vector < 0 || vector >= vectors)) {
      throw new IllegalArgumentException("MSI-X vector " + vector + ", but there are " + vectors);
    }
  }
}
