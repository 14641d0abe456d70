package io.github.jvhost.mediate.keep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.io.FileStat;
import io.github.jvhost.sys.io.Linux;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.Pipe;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Whatever happens to the file or its writer, a reader finds a whole content or none. */
class StateFileTest {
  private static final int SECOND_SLOT = 16 << 20;
  private static final int HEADER = 24;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final SplittableRandom random = new SplittableRandom(0x5eed_0018L);
  private StateFile file;

  @BeforeEach
  void create() {
    file = StateFile.create(ledger);
  }

  @AfterEach
  void nothingIsLeft() {
    file.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private byte[] content(int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  /** What a process finds that gets the descriptor. */
  private Optional<byte[]> found() {
    try (var successor = StateFile.adopt(file.descriptor().duplicate())) {
      return successor.read();
    }
  }

  private byte[] bytesAt(long offset, int length) {
    byte[] bytes = new byte[length];
    int count = MemoryFile.read(file.descriptor(), offset, bytes);
    return Arrays.copyOf(bytes, count);
  }

  private void poke(long offset, byte[] bytes) {
    assertThat(Linux.pwrite(file.descriptor().number(), bytes, 0, offset)).isEqualTo(bytes.length);
  }

  private void shorten(long size) {
    assertThat(Linux.ftruncate(file.descriptor().number(), size)).isZero();
  }

  @Test
  void aNewOneHasNoContent() {
    assertThat(file.read()).isEmpty();
    assertThat(found()).isEmpty();
  }

  @Test
  void theLastContentIsFoundAndASuccessorGoesOn() {
    byte[] last = {};
    for (int i = 0; i < 20; i++) {
      last = content(random.nextInt(3) * random.nextInt(40_000));
      if (i % 3 == 0) {
        StateFile successor = StateFile.adopt(file.descriptor().duplicate());
        file.close();
        file = successor;
      }
      file.write(last);
      assertThat(found()).hasValue(last);
    }
  }

  @Test
  void theLongestContentFitsAndALongerOneLeavesTheEarlierOne() {
    byte[] longest = content(StateFile.LONGEST);
    file.write(new byte[] {1});
    file.write(longest);
    assertThat(found()).hasValue(longest);
    file.write(longest);
    assertThat(found()).hasValue(longest);

    assertThatThrownBy(() -> file.write(new byte[StateFile.LONGEST + 1]))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("at most " + StateFile.LONGEST);
    assertThat(found()).hasValue(longest);
  }

  @Test
  void aWriterThatIsKilledAfterAnyNumberOfBytesLeavesTheOldOrTheNewContent() {
    byte[] old = content(300);
    byte[] before = content(500);
    byte[] fresh = content(400);
    file.write(before);
    file.write(old);
    byte[] slot = bytesAt(0, HEADER + before.length);
    file.write(fresh);
    byte[] written = bytesAt(0, HEADER + fresh.length);

    for (int done = 0; done <= written.length; done++) {
      poke(0, slot);
      poke(0, Arrays.copyOf(written, done));
      assertThat(found()).as("after " + done).hasValue(done == written.length ? fresh : old);
    }
  }

  @Test
  void anyMixtureOfOldAndNewBytesIsTheOldOrTheNewContent() {
    for (int round = 0; round < 2000; round++) {
      byte[] old = content(random.nextInt(200));
      byte[] fresh = content(random.nextInt(200));
      file.write(content(random.nextInt(200)));
      file.write(old);
      boolean second = round % 2 == 1; // an odd number of contents was written before
      long at = second ? SECOND_SLOT : 0;
      byte[] slot = Arrays.copyOf(bytesAt(at, HEADER + 300), HEADER + 300);
      file.write(fresh);
      byte[] mixed = Arrays.copyOf(bytesAt(at, HEADER + 300), HEADER + 300);
      byte[] whole = mixed.clone();
      for (int i = 0; i < mixed.length; i++) {
        if (random.nextInt(4) == 0) {
          mixed[i] = slot[i];
        }
      }
      poke(at, mixed);
      byte[] got = found().orElseThrow();
      assertThat(Arrays.equals(got, old) || Arrays.equals(got, fresh)).isTrue();
      poke(at, whole);
      assertThat(found()).hasValue(fresh);
    }
  }

  @Test
  void oneWrongByteAnywhereCostsTheContentThatItIsIn() {
    byte[] old = content(100);
    byte[] fresh = content(120);
    file.write(old);
    file.write(fresh);
    for (int i = 0; i < HEADER + fresh.length; i++) {
      long at = (long) SECOND_SLOT + i;
      byte[] right = bytesAt(at, 1);
      poke(at, new byte[] {(byte) (right[0] ^ 1 << random.nextInt(8))});
      assertThat(found()).as("byte " + i).hasValue(old);
      poke(at, right);
      assertThat(found()).hasValue(fresh);
    }
  }

  @Test
  void aFileThatIsCutAnywhereHasTheEarlierContentOrNone() {
    byte[] old = content(100);
    byte[] fresh = content(120);
    file.write(old);
    file.write(fresh);
    for (int length = HEADER + fresh.length - 1; length >= 0; length--) {
      shorten(SECOND_SLOT + length);
      assertThat(found()).as("cut at " + length).hasValue(old);
    }
    for (int length = HEADER + old.length - 1; length >= 0; length--) {
      shorten(length);
      assertThat(found()).as("cut at " + length).isEmpty();
    }
    file.write(old);
    assertThat(found()).hasValue(old);
  }

  @Test
  void noiseIsNoContent() {
    for (int round = 0; round < 2000; round++) {
      byte[] noise = content(64);
      if (round % 2 == 0) {
        System.arraycopy(
            "jvhstate".getBytes(java.nio.charset.StandardCharsets.US_ASCII), 0, noise, 0, 8);
      }
      poke(random.nextBoolean() ? 0 : SECOND_SLOT, noise);
      assertThat(found()).isEmpty();
    }
  }

  @Test
  void aWriteTouchesOneSlotAndTheGapTakesNoMemory() {
    Map<Long, byte[]> slots = new HashMap<>();
    for (int i = 0; i < 10; i++) {
      file.write(content(50));
      long other = i % 2 == 0 ? SECOND_SLOT : 0;
      byte[] untouched = bytesAt(other, HEADER + 50);
      assertThat(untouched).isEqualTo(slots.getOrDefault(other, new byte[0]));
      long own = SECOND_SLOT - other;
      slots.put(own, bytesAt(own, HEADER + 50));
    }
    assertThat(FileStat.of(file.descriptor()).size()).isEqualTo(SECOND_SLOT + HEADER + 50);
  }

  @Test
  void whatIsNoFileIsSaid() {
    try (Pipe pipe = Pipe.open(ledger, "test");
        var wrong = StateFile.adopt(pipe.readEnd().duplicate())) {
      assertThatThrownBy(wrong::read)
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("ESPIPE");
      assertThatThrownBy(() -> wrong.write(new byte[1])).isInstanceOf(VhostException.class);
    }
  }
}
