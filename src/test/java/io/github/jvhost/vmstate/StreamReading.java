package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.ByteArrayInputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads whole streams, from memory and as they come in, and compares both. */
final class StreamReading {
  private StreamReading() {}

  static List<StreamRecord> all(byte[] stream) {
    return all(QemuStreamReader.builder().open(ByteBuffer.wrap(stream)));
  }

  static List<StreamRecord> all(QemuStreamReader reader) {
    List<StreamRecord> records = new ArrayList<>();
    for (var next = reader.next(); next.isPresent(); next = reader.next()) {
      records.add(next.get());
    }
    reader.expectEnd();
    return records;
  }

  /** What is wrong with it; the same both ways, and never anything but this. */
  static @Nullable VmStateException failure(byte[] stream) {
    Throwable inMemory = catchThrowable(() -> all(stream));
    Throwable comingIn =
        catchThrowable(
            () -> all(QemuStreamReader.builder().open(new ByteArrayInputStream(stream))));
    for (Throwable thrown : new Throwable[] {inMemory, comingIn}) {
      if (thrown != null) {
        assertThat(thrown).isInstanceOf(VmStateException.class);
      }
    }
    if (inMemory == null || comingIn == null) {
      assertThat(comingIn).isNull();
      assertThat(inMemory).isNull();
      return null;
    }
    VmStateException failure = (VmStateException) inMemory;
    VmStateException other = (VmStateException) comingIn;
    assertThat(other.section()).isEqualTo(failure.section());
    assertThat(other.path()).isEqualTo(failure.path());
    assertThat(other.offset()).isEqualTo(failure.offset());
    assertThat(failure.offset()).isBetween(0L, (long) stream.length);
    return failure;
  }

  /** What is wrong with a stream that is wrong. */
  static VmStateException refused(byte[] stream) {
    VmStateException failure = failure(stream);
    if (failure == null) {
      throw new AssertionError("nothing was found to be wrong");
    }
    return failure;
  }
}
