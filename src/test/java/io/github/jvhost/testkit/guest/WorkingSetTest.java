package io.github.jvhost.testkit.guest;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.DescriptorLedger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class WorkingSetTest {
  private static final int PAGE = GuestRam.PAGE;

  private final GuestMemory memory =
      GuestMemory.builder(DescriptorLedger.counting()).region("ram", 0, 1 << 20).build();
  private final GuestRam ram = new GuestRam(memory, 0x1000);
  private final WorkingSet set;
  private int ticks;

  WorkingSetTest() {
    ram.format(64);
    set = WorkingSet.create(ram, 16, 32);
    change(50);
  }

  @AfterEach
  void close() {
    memory.close();
  }

  private void change(int times) {
    for (int i = 0; i < times; i++) {
      set.change(3);
      ticks++;
    }
  }

  private byte[] page(long gpa) {
    return ram.read(gpa, PAGE);
  }

  private long firstPage() {
    return memory.getLong(set.table() + 24);
  }

  @Test
  void isRightAsLongAsNobodyTouchesIt() {
    WorkingSetCheck check = set.verify(ticks);
    assertThat(check.ok()).as("%s", check.problems()).isTrue();
    assertThat(check.pages()).isEqualTo(16);
    assertThat(check.generation()).isEqualTo(50);
    assertThat(set.verify(ticks)).isEqualTo(check);
    change(1);
    assertThat(set.verify(ticks).checksum()).isNotEqualTo(check.checksum());
  }

  @Test
  void aPageThatWasNeverCopiedShows() {
    ram.zero(firstPage(), PAGE);
    assertThat(set.verify(ticks).problems())
        .singleElement()
        .asString()
        .contains("page 0", "never copied");
  }

  @Test
  void anOldPageShowsThoughItIsSound() {
    byte[] old = page(firstPage());
    change(50);
    assertThat(set.verify(ticks).ok()).isTrue();
    ram.write(firstPage(), old);
    assertThat(set.verify(ticks).problems()).singleElement().asString().contains("is old");
  }

  @Test
  void aTornPageShows() {
    byte[] old = page(firstPage());
    change(50);
    byte[] torn = page(firstPage());
    System.arraycopy(old, 2048, torn, 2048, 2048);
    ram.write(firstPage(), torn);
    assertThat(set.verify(ticks).problems()).singleElement().asString().contains("contradicts");
  }

  @Test
  void anOldTableShowsEvenIfAllPagesAreAsOldAsItIs() {
    byte[] table = page(set.table());
    byte[][] pages = new byte[16][];
    for (int i = 0; i < 16; i++) {
      pages[i] = page(firstPage() + (long) i * PAGE);
    }
    change(10);
    ram.write(set.table(), table);
    for (int i = 0; i < 16; i++) {
      ram.write(firstPage() + (long) i * PAGE, pages[i]);
    }
    assertThat(set.verify(ticks).problems()).singleElement().asString().contains("generation 50");
  }

  @Test
  void growsIntoOtherMemory() {
    memory.addRegion("more", 1L << 33, 8 * PAGE);
    set.extend(1L << 33, 8);
    change(50);
    assertThat(set.verify(ticks).ok()).isTrue();
    assertThat(set.verify(ticks).pages()).isEqualTo(24);
    memory.putByte((1L << 33) + PAGE + 100, (byte) 1);
    assertThat(set.verify(ticks).problems()).singleElement().asString().contains("page 17");
  }
}
