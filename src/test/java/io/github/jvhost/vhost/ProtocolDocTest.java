package io.github.jvhost.vhost;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PayloadKind;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.ReplyDeadlines;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** docs/protocol.md says what the code does, and names what there is. */
class ProtocolDocTest {
  private static final Path PAGE = Path.of("docs/protocol.md");
  private static final Path MAIN = Path.of("src/main/java/io/github/jvhost");
  private static final Path TESTS = Path.of("src/test/java/io/github/jvhost");
  private static final String NOTHING = "–";
  private static final long ALL = -1L;

  /** Those of other devices, which nobody sends. */
  private static final Set<FrontEndRequest> UNSPOKEN =
      EnumSet.of(
          FrontEndRequest.CREATE_CRYPTO_SESSION,
          FrontEndRequest.CLOSE_CRYPTO_SESSION,
          FrontEndRequest.GPU_SET_SOCKET);

  /** One row, cell by cell, without the code marks. */
  record Row(List<String> cells) {
    String cell(int index) {
      return cells.get(index);
    }

    List<String> names(int index) {
      String cell = cell(index);
      return cell.equals(NOTHING) ? List.of() : List.of(cell.split(", ", -1));
    }

    @Override
    public String toString() {
      return String.join(" ", cells.subList(0, 2));
    }
  }

  /** The rows of the table whose header begins like this. */
  private static List<Row> table(String header) {
    List<Row> rows = new ArrayList<>();
    boolean inside = false;
    try {
      for (String line : Files.readAllLines(PAGE)) {
        if (line.startsWith(header)) {
          inside = true;
        } else if (inside && !line.startsWith("|")) {
          break;
        } else if (inside && !line.startsWith("|---")) {
          String cells = line.substring(2, line.length() - 2).replace("`", "");
          rows.add(new Row(List.of(cells.split(" \\| ", -1))));
        }
      }
    } catch (IOException e) {
      throw new AssertionError("reading " + PAGE, e);
    }
    return rows;
  }

  static List<Row> frontEndRows() {
    return table("| id | message | payload | fds | gate | reply | class | method |");
  }

  static List<Row> backEndRows() {
    return table("| id | message | payload | fds | gate | reply | event |");
  }

  @Test
  void everyMessageHasItsRowInOrder() {
    assertThat(frontEndRows().stream().map(row -> row.cell(1)))
        .containsExactlyElementsOf(
            Arrays.stream(FrontEndRequest.values()).map(Enum::name).toList());
    assertThat(backEndRows().stream().map(row -> row.cell(1)))
        .containsExactlyElementsOf(Arrays.stream(BackEndRequest.values()).map(Enum::name).toList());
  }

  @ParameterizedTest
  @MethodSource("frontEndRows")
  void whatTheFrontEndAsksIsAsTheTableOfRequestsHasIt(Row row) {
    FrontEndRequest request = FrontEndRequest.valueOf(row.cell(1));

    int id = request.fixedId().orElse(-1);
    assertThat(row.cell(0)).isEqualTo(id < 0 ? NOTHING : Integer.toString(id));
    assertThat(row.cell(2)).isEqualTo(recordOf(request.payload()));
    assertThat(row.cell(3)).isEqualTo(count(request.minDescriptors(), request.maxDescriptors()));
    assertThat(row.cell(4))
        .isEqualTo(
            request == FrontEndRequest.PRESETUP
                ? "the dialect’s bit"
                : gate(request.gateMask(), request.featureMask()));
    assertThat(row.cell(5)).isEqualTo(reply(request));
    assertThat(row.cell(6)).isEqualTo(request.messageClass().name());
  }

  @ParameterizedTest
  @MethodSource("frontEndRows")
  void whatTheFrontEndAsksIsSentAndTestedWhereItSays(Row row) {
    if (UNSPOKEN.contains(FrontEndRequest.valueOf(row.cell(1)))) {
      assertThat(row.cells().subList(7, 10)).containsOnly(NOTHING);
      return;
    }
    requireExists("vhost.user.VhostUserFrontEnd." + row.cell(7));
    row.names(8).forEach(ProtocolDocTest::requireExists);
    requireTests(row.names(9));
  }

  @ParameterizedTest
  @MethodSource("backEndRows")
  void whatTheBackEndAsksIsAsTheTableOfRequestsHasIt(Row row) {
    BackEndRequest request = BackEndRequest.valueOf(row.cell(1));

    assertThat(row.cell(0)).isEqualTo(Integer.toString(request.id()));
    assertThat(row.cell(2)).isEqualTo(recordOf(request.payload()));
    assertThat(row.cell(3))
        .endsWith(request.maxDescriptors() == 0 ? NOTHING : "" + request.maxDescriptors());
    assertThat(row.cell(4)).isEqualTo(gate(request.gateMask(), request.featureMask()));
    assertThat(row.cell(5)).isEqualTo(request.alwaysAnswered() ? "always" : "if asked");
  }

  @ParameterizedTest
  @MethodSource("backEndRows")
  void whatTheBackEndAsksIsHandledAndTestedWhereItSays(Row row) {
    row.names(6).forEach(event -> requireExists("vhost.plan.BackEndEvents." + event));
    assertThat(row.names(7)).isNotEmpty().allSatisfy(ProtocolDocTest::requireExists);
    requireTests(row.names(8));
  }

  @Test
  void theDeadlinesAreTheDefaults() {
    List<Row> rows = table("| class | what it stands for |");

    assertThat(rows.stream().map(row -> row.cell(0)))
        .containsExactlyElementsOf(Arrays.stream(MessageClass.values()).map(Enum::name).toList());
    assertThat(rows)
        .allSatisfy(row ->
            assertThat(row.cell(2))
                .isEqualTo(
                    ReplyDeadlines.DEFAULTS.of(MessageClass.valueOf(row.cell(0))).toSeconds()
                        + " s"));
  }

  @Test
  void whatTheTextNamesExists() throws IOException {
    var named =
        Pattern.compile("`((?:vhost|channel|protocol|testkit)(?:\\.\\w+)+)`")
            .matcher(Files.readString(PAGE));
    while (named.find()) {
      String name = named.group(1);
      if (name.endsWith("Test")) {
        requireTests(List.of(name));
      } else {
        requireExists(name);
      }
    }
  }

  private static String gate(long protocolFeatures, long features) {
    Stream<String> bits =
        Arrays.stream(ProtocolFeature.values())
            .filter(feature -> feature.isIn(protocolFeatures))
            .map(Enum::name);
    Stream<String> more = features == 0 ? Stream.of() : Stream.of("feature IOMMU_PLATFORM");
    String all = Stream.concat(bits, more).collect(joining(", "));
    return all.isEmpty() ? NOTHING : all;
  }

  private static String count(int least, int most) {
    if (most == 0) {
      return NOTHING;
    }
    return least == most ? "" + most : least + NOTHING + most;
  }

  private static String reply(FrontEndRequest request) {
    String plain = replyIn(request.explicitReply(0));
    String always = replyIn(request.explicitReply(ALL));
    String postcopy = replyIn(request.answerTo(told(request), ALL, true, false));
    String reply = plain;
    if (!always.equals(plain)) {
      reply += "; " + always + " with LOG_SHMFD";
    }
    if (!postcopy.equals(always)) {
      reply += "; " + postcopy + " in postcopy";
    }
    return request.maxReplyDescriptors() == 0 ? reply : reply + " + descriptor";
  }

  /** What decides about the answer in postcopy: a table without regions is a go-ahead. */
  private static Payload told(FrontEndRequest request) {
    return request == FrontEndRequest.SET_MEM_TABLE
        ? new MemoryTablePayload(List.of(new MemoryRegionPayload(0, 1, 0, 0)))
        : NoPayload.INSTANCE;
  }

  private static String replyIn(Optional<PayloadKind> layout) {
    return layout.map(ProtocolDocTest::recordOf).orElse("ack");
  }

  private static String recordOf(PayloadKind kind) {
    return switch (kind) {
      case NONE -> "NoPayload";
      case U64 -> "U64";
      case VRING_STATE -> "VringState";
      case VRING_ADDRESS -> "VringAddress";
      case VRING_DESCRIPTOR -> "VringDescriptor";
      case MEMORY_TABLE -> "MemoryTablePayload";
      case SINGLE_REGION -> "SingleRegion";
      case LOG -> "LogRegion";
      case IOTLB -> "Iotlb";
      case CONFIG -> "ConfigSpace";
      case VRING_AREA -> "VringArea";
      case INFLIGHT -> "Inflight";
      case SHARED_OBJECT -> "SharedObject";
      case DEVICE_STATE -> "DeviceStateTransfer";
      case MMAP -> "MmapRequest";
      case SHMEM_CONFIG -> "ShmemConfig";
      case OPAQUE -> "OpaquePayload";
      case IGNORED -> "any";
    };
  }

  @ParameterizedTest
  @MethodSource("payloads")
  void everyPayloadIsARecord(String name) {
    requireExists("protocol." + name);
  }

  static List<String> payloads() {
    return Arrays.stream(PayloadKind.values())
        .filter(kind -> kind != PayloadKind.IGNORED)
        .map(ProtocolDocTest::recordOf)
        .toList();
  }

  /** "vhost.plan.Fact.MTU": a file vhost/plan/Fact.java that declares MTU. */
  private static void requireExists(String name) {
    int packageEnd = 0;
    while (Character.isLowerCase(name.charAt(packageEnd))) {
      packageEnd = name.indexOf('.', packageEnd) + 1;
    }
    int classEnd = name.indexOf('.', packageEnd);
    String type = classEnd < 0 ? name : name.substring(0, classEnd);
    Path file = MAIN.resolve(type.replace('.', '/') + ".java");
    assertThat(file).exists();
    if (classEnd > 0) {
      String member = name.substring(classEnd + 1);
      try {
        assertThat(Files.readString(file))
            .as("%s in %s", member, file)
            .containsPattern("\\b" + member + "(\\(| =)");
      } catch (IOException e) {
        throw new AssertionError("reading " + file, e);
      }
    }
  }

  private static void requireTests(List<String> names) {
    assertThat(names).isNotEmpty();
    for (String name : names) {
      assertThat(name).endsWith("Test");
      assertThat(TESTS.resolve(name.replace('.', '/') + ".java")).exists();
    }
  }
}
