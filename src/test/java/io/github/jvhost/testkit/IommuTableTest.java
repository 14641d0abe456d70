package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Translation;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a guest has mapped, as a test's VMM notes it. */
class IommuTableTest {
  private final IommuTable table = new IommuTable();

  @Test
  void aMappingIsFoundByEachOfItsAddressesAndOnlyForWhatItPermits() {
    table.map(0x8000, 0x1000, 0x2000, Access.READ);

    assertThat(table.translate(0x8000, Access.READ))
        .contains(new Translation(0x8000, 0x1000, 0x2000, Access.READ));
    assertThat(table.translate(0x9fff, Access.READ)).isPresent();
    assertThat(table.translate(0x7fff, Access.READ)).isEmpty();
    assertThat(table.translate(0xa000, Access.READ)).isEmpty();
    assertThat(table.translate(0x8000, Access.WRITE)).isEmpty();
    assertThat(table.translate(0x8000, Access.READ_WRITE)).isEmpty();
    assertThat(table.asked()).isEqualTo(6);
  }

  @Test
  void whatIsMappedAlreadyIsNotMappedAgain() {
    table.map(0x8000, 0x1000, 0x2000, Access.READ);

    for (long iova : List.of(0x7000L, 0x8000L, 0x9000L)) {
      assertThatThrownBy(() -> table.map(iova, 0x50000, 0x2000, Access.READ))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("there is 0x8000 +0x2000 to guest 0x1000 READ");
    }
    assertThat(table.mappings())
        .containsExactly(new Translation(0x8000, 0x1000, 0x2000, Access.READ));
  }

  @Test
  void onePieceIsFoundAsOnePiece() {
    table.map(0x8000, 0x1000, 0x1000, Access.READ);
    table.map(0xa000, 0x3000, 0x1000, Access.READ);
    table.map(0x9000, 0x2000, 0x1000, Access.READ);
    table.map(0xb000, 0x9000, 0x1000, Access.READ); // adjoins, but its memory is apart
    table.map(0xc000, 0xa000, 0x1000, Access.WRITE);

    assertThat(table.translate(0x9800, Access.READ))
        .contains(new Translation(0x8000, 0x1000, 0x3000, Access.READ));
    assertThat(table.mappings()).hasSize(3);
  }

  @Test
  void aPartThatIsUnmappedLeavesTheRest() {
    table.map(0x1000, 0x70000, 0x4000, Access.READ_WRITE);
    table.map(0x6000, 0x10000, 0x1000, Access.READ_WRITE);

    table.unmap(0x2000, 0x1000);
    table.unmap(0x4000, 0x2800);
    table.unmap(0x20000, 0x1000);
    table.unmap(0x1000, 0);

    assertThat(table.mappings())
        .containsExactly(
            new Translation(0x1000, 0x70000, 0x1000, Access.READ_WRITE),
            new Translation(0x3000, 0x72000, 0x1000, Access.READ_WRITE),
            new Translation(0x6800, 0x10800, 0x800, Access.READ_WRITE));
    table.unmap(0, -1);
    assertThat(table.mappings()).isEmpty();
  }

  @Test
  void addressesAreUnsigned() {
    long top = -0x1000L;
    table.map(top, 0x1000, 0x1000, Access.READ);
    table.map(0, 0x2000, 0x1000, Access.READ);

    assertThat(table.translate(-1, Access.READ))
        .contains(new Translation(top, 0x1000, 0x1000, Access.READ));
    assertThat(table.mappings()).extracting(Translation::iova).containsExactly(0L, top);
    table.unmap(top, 0x5000); // ends at the last address
    assertThat(table.mappings()).extracting(Translation::iova).containsExactly(0L);
  }

  @Test
  void aDestinationBeginsWithTheSourcesMappings() {
    table.map(0x8000, 0x1000, 0x1000, Access.READ);
    IommuTable destination = new IommuTable(table);

    table.unmap(0x8000, 0x1000);

    assertThat(destination.translate(0x8000, Access.READ)).isPresent();
  }
}
