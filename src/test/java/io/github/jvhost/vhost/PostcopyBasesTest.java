package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.vhost.PostcopyBases.Base;
import java.util.List;
import org.junit.jupiter.api.Test;

class PostcopyBasesTest {
  private final PostcopyBases bases =
      new PostcopyBases(
          List.of(
              new Base(0, 0x1000, 0x7f00_0000_0000L),
              new Base(0x1_0000_0000L, 0x2000, 0xffff_ffff_ffff_e000L)));

  @Test
  void aFaultIsFoundInItsRegion() {
    assertThat(bases.guestAddress(0x7f00_0000_0000L)).hasValue(0);
    assertThat(bases.guestAddress(0x7f00_0000_0fffL)).hasValue(0xfff);
    assertThat(bases.guestAddress(0xffff_ffff_ffff_e000L)).hasValue(0x1_0000_0000L);
    assertThat(bases.guestAddress(-1L)).hasValue(0x1_0000_1fffL);
  }

  @Test
  void whatIsInNoRegionIsNotGuessed() {
    assertThat(bases.guestAddress(0x7f00_0000_1000L)).isEmpty();
    assertThat(bases.guestAddress(0x7eff_ffff_ffffL)).isEmpty();
    assertThat(bases.guestAddress(0)).isEmpty();
    assertThat(bases.backEndAddress(0x1000)).isEmpty();
    assertThat(bases.backEndAddress(0x1_0000_2000L)).isEmpty();
    assertThat(bases.backEndAddress(-1)).isEmpty();
  }

  @Test
  void aPageIsPutWhereTheBackEndSeesIt() {
    assertThat(bases.backEndAddress(0xfff)).hasValue(0x7f00_0000_0fffL);
    assertThat(bases.backEndAddress(0x1_0000_1000L)).hasValue(0xffff_ffff_ffff_f000L);
  }
}
