package io.github.jvhost.mediate.peer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.peer.Hint.Content;
import io.github.jvhost.mediate.peer.Hint.Region;
import io.github.jvhost.mediate.peer.Hint.Ring;
import io.github.jvhost.mediate.peer.Hint.What;
import io.github.jvhost.vhost.plan.RingAddresses;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HintTest {
  private static final long SEED = 0x5eed_0018L;
  private static final int ROUND_TRIPS = 2_000;
  private static final int FUZZ = 30_000;
  private static final long GIB = 1L << 30;
  private static final Region RAM = new Region(0, GIB, 0, 0, GIB);

  private static final String EXAMPLE =
      """
      {"version":1,"what":"configuration","nic":"net0","generation":7,\
      "features":"0x0000000150030000","mtu":1500,\
      "regions":[{"guestAddress":0,"size":1073741824,"offset":0,"file":0,"fileSize":1073741824}],\
      "rings":[{"ring":0,"size":256,"desc":1056768,"used":1064960,"avail":1060864,"enabled":true}]}
      """;

  private static Ring ring(int number) {
    return new Ring(number, 256, new RingAddresses(1056768, 1064960, 1060864), true);
  }

  @Test
  void theDescribedLineIsWhatIsWritten() {
    var content = new Content(0x150030000L, 1500, List.of(RAM), List.of(ring(0)));
    Hint hint = Hint.configuration("net0", 7, content);

    assertThat(new String(hint.encoded(), UTF_8)).isEqualTo(EXAMPLE);
    assertThat(Hint.decode(EXAMPLE.getBytes(UTF_8))).isEqualTo(hint);
    assertThat(content.fileSizes()).containsExactly(GIB);
    assertThat(content.ring(0)).contains(ring(0));
    assertThat(content.ring(1)).isEmpty();
  }

  @Test
  void everyHintComesBackEqual() {
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < ROUND_TRIPS; i++) {
      Hint hint = RandomHints.hint(random);
      byte[] line = hint.encoded();
      assertThat(Hint.decode(line)).as("seed %x round %d", SEED, i).isEqualTo(hint);
      assertThat(new String(line, UTF_8).indexOf('\n')).isEqualTo(line.length - 1);
    }
  }

  @Test
  void theLargestHintFitsIntoALine() {
    long top = 1L << 52;
    List<Region> regions = new ArrayList<>();
    for (int i = 0; i < Hint.MOST_REGIONS; i++) {
      regions.add(
          new Region(top - (8 - i) * GIB, GIB, Long.MAX_VALUE - 4095 - GIB, i, Long.MAX_VALUE));
    }
    List<Ring> rings = new ArrayList<>();
    for (int i = 0; i < Hint.MOST_RINGS; i++) {
      var addresses = new RingAddresses(top - GIB, top - GIB + 4, top - GIB + 2);
      rings.add(new Ring(i, 32768, addresses, false));
    }
    var content = new Content(0x150030000L, 65535, regions, rings);
    Hint hint = Hint.configuration("n".repeat(64), Long.MAX_VALUE, content);

    assertThat(hint.encoded()).hasSizeLessThanOrEqualTo(Hint.MOST_BYTES);
    assertThat(Hint.decode(hint.encoded())).isEqualTo(hint);
  }

  @Test
  void foreignBytesBecomeAHintOrAreRefusedInWords() {
    SplittableRandom random = new SplittableRandom(SEED + 1);
    int refused = 0;
    int accepted = 0;
    for (int i = 0; i < FUZZ; i++) {
      byte[] line = random.nextInt(10) == 0 ? noise(random) : mutated(random);
      try {
        Hint hint = Hint.decode(line);
        assertThat(Hint.decode(hint.encoded())).isEqualTo(hint);
        accepted++;
      } catch (VhostException e) {
        assertThat(e.getMessage()).startsWith("a hint about a NIC is refused: ").hasLineCount(1);
        refused++;
      } catch (RuntimeException e) {
        fail("seed %x round %d: %s".formatted(SEED, i, new String(line, UTF_8)), e);
      }
    }
    assertThat(refused).isGreaterThan(FUZZ / 10);
    assertThat(accepted).isGreaterThan(FUZZ / 100);
  }

  private static byte[] noise(SplittableRandom random) {
    byte[] bytes = new byte[random.nextInt(300)];
    random.nextBytes(bytes);
    return bytes;
  }

  /** A valid line with some bytes changed, a piece doubled, or its end cut off. */
  private static byte[] mutated(SplittableRandom random) {
    byte[] line = RandomHints.hint(random).encoded();
    for (int n = random.nextInt(3); n > 0; n--) {
      line[random.nextInt(line.length)] =
          (byte)
              (random.nextBoolean()
                  ? random.nextInt()
                  : "0123456789-{}[],:\"".charAt(random.nextInt(18)));
    }
    return switch (random.nextInt(4)) {
      case 0 -> Arrays.copyOf(line, random.nextInt(line.length));
      case 1 -> {
        int from = random.nextInt(line.length);
        int to = random.nextInt(from, line.length);
        String text = new String(line, UTF_8);
        yield (text.substring(0, Math.min(to, text.length()))
                + text.substring(Math.min(from, text.length())))
            .getBytes(UTF_8);
      }
      default -> line;
    };
  }

  @Test
  void fieldsOfALaterMediatorAreSkipped() {
    String later =
        EXAMPLE
            .replace("\"mtu\"", "\"new\":{\"a\":[1,{\"b\":null}]},\"mtu\"")
            .replace("\"file\":0", "\"file\":0,\"kind\":\"huge\"")
            .replace("\"enabled\"", "\"notes\":[],\"enabled\"");

    assertThat(Hint.decode(later.getBytes(UTF_8))).isEqualTo(Hint.decode(EXAMPLE.getBytes(UTF_8)));
  }

  @Test
  void anotherVersionIsRefusedBeforeItIsUnderstood() {
    String other = "{\"version\":2,\"what\":[\"something new\"]}";

    assertThatThrownBy(() -> Hint.decode(other.getBytes(UTF_8)))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("version 2")
        .hasMessageContaining("both hosts need the same one");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "\"version\":1, | \"nic\":\"x\", | first field is not the version",
        "\"mtu\":1500 | \"mtu\":1500,\"mtu\":1500 | Duplicate",
        "\"mtu\":1500 | \"mtu\":0 | MTU 0",
        "\"mtu\":1500 | \"mtu\":4294968796 | mtu 4294968796",
        "\"mtu\":1500 | \"mtu\":1500.0 | mtu is no integer",
        "\"mtu\":1500 | \"x\":[[[[[[[[[[1]]]]]]]]]] | nesting depth",
        "\"mtu\":1500 | \"x\":1e99999999999999999999999999999999 | Number value length",
        "\"generation\":7 | \"generation\":-7 | generation -7 is negative",
        "\"generation\":7 | \"generation\":9223372036854775808 | out of range",
        "\"generation\":7, | `` | it has no generation",
        "\"nic\":\"net0\" | \"nic\":\"net/0\" | a NIC's name",
        "\"nic\":\"net0\" | \"nic\":7 | nic is no string",
        "configuration | resumed | none of configuration",
        "configuration | alive | a sign of life",
        "0x0000000150030000 | 0x4000000 | LOG_ALL",
        "0x0000000150030000 | 150030000 | features is not",
        "\"offset\":0 | \"offset\":4096 | at 4096 of a file of 1073741824",
        "\"offset\":0 | \"offset\":9223372036854771712 | of a file of",
        "\"offset\":0 | \"offset\":-4096 | at -4096 of a file",
        "\"offset\":0 | \"offset\":1 | not aligned",
        "\"guestAddress\":0 | \"guestAddress\":4503599627370496 | guest address",
        "\"guestAddress\":0 | \"guestAddress\":4503599627366400 | size of a region",
        "\"file\":0 | \"file\":1 | file 1 is named before file 0",
        "\"size\":256 | \"size\":100 | no power of two",
        "\"size\":256 | \"size\":65536 | size of a ring 65536",
        "\"ring\":0 | \"ring\":512 | number of a ring 512",
        "\"desc\":1056768 | \"desc\":1056770 | its descriptors at 0x102002",
        "\"desc\":1056768 | \"desc\":1073741808 | are in no region",
        "\"used\":1064960 | \"used\":1064962 | its used part",
        "\"avail\":1060864 | \"avail\":1060865 | its available part",
        "\"avail\":1060864 | \"avail\":-2 | its available part",
        "\"enabled\":true | \"enabled\":1 | enabled is neither",
        "\"enabled\":true} | \"enabled\":true},3 | START_OBJECT belongs",
        "]} | ]}{ | something follows",
        "\"regions\" | \"region\" | it has no regions",
        "\"desc\" | \"dsc\" | it has no desc"
      })
  void aLineThatCannotBeRightIsRefusedInWords(String from, String to, String problem) {
    String line = EXAMPLE.replace(from, to == null ? "" : to);
    assertThat(line).isNotEqualTo(EXAMPLE);

    assertThatThrownBy(() -> Hint.decode(line.getBytes(UTF_8)))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining(problem);
  }

  @Test
  void aLineThatIsTooLongOrNoUtf8IsRefused() {
    assertThatThrownBy(() -> Hint.decode(new byte[Hint.MOST_BYTES + 1]))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("more than 65536");
    byte[] line = EXAMPLE.getBytes(UTF_8);
    line[EXAMPLE.indexOf("net0")] = (byte) 0xC0;
    assertThatThrownBy(() -> Hint.decode(line)).isInstanceOf(VhostException.class);
  }

  @Test
  void whatTwoPartsSayTogetherIsChecked() {
    assertRefused("overlap", List.of(RAM, new Region(GIB - 4096, GIB, 0, 1, GIB)), List.of());
    assertRefused("file 0 has", List.of(RAM, new Region(GIB, GIB, 0, 0, 2 * GIB)), List.of());
    assertRefused("comes after ring 3", List.of(RAM), List.of(ring(3), ring(3)));
    assertRefused("number of regions 9", Collections.nCopies(9, RAM), List.of());
  }

  private static void assertRefused(String problem, List<Region> regions, List<Ring> rings) {
    assertThatThrownBy(() -> new Content(0, null, regions, rings))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining(problem);
  }

  @Test
  void onlyAConfigurationHasAContent() {
    var content = new Content(0, null, List.of(), List.of());

    assertThatThrownBy(() -> new Hint("net0", 0, What.GONE, content))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("with a configuration");
    assertThatThrownBy(() -> new Hint("net0", 0, What.CONFIGURATION, null))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("without a configuration");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "a b", "a/b", "\u00e4"})
  void aNameThatCannotBeWrittenEverywhereIsRefused(String name) {
    assertThatThrownBy(() -> Hint.gone(name, 1)).isInstanceOf(VhostException.class);
    assertThatThrownBy(() -> Hint.gone("n".repeat(65), 1)).isInstanceOf(VhostException.class);
  }
}
