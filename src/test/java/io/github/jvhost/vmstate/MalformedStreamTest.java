package io.github.jvhost.vmstate;

import static io.github.jvhost.vmstate.StreamReading.refused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A stream comes from somebody else: whatever is wrong with it is said in the one way. */
class MalformedStreamTest {
  /** Many times the stream, and far less than what a wrong length could ask for. */
  private static final long MOST_ALLOCATED = 8 << 20;

  @Test
  void theStreamIsWholeToBeginWith() {
    assertThat(StreamReading.all(StreamBytes.whole().toArray())).hasSize(9);
  }

  @Test
  void cutOffAtAnyByte() {
    byte[] whole = StreamBytes.whole().toArray();

    for (int length = 0; length < whole.length; length++) {
      VmStateException failure = refused(Arrays.copyOf(whole, length));

      assertThat(failure.offset()).as("%d bytes", length).isLessThanOrEqualTo(length);
      assertThat(failure.section()).isNotEmpty();
      assertThat(failure.expected()).isNotEmpty();
    }
  }

  @Test
  void everyNumberAtItsExtremes() {
    StreamBytes whole = StreamBytes.whole();
    for (Map.Entry<String, StreamBytes.Place> number : whole.numbers().entrySet()) {
      long highest = 1L << (8 * number.getValue().size() - 1);
      long[] values = {
        0, 1, 2, 0xFF, 0x100, 0xFFFF, highest - 1, highest, highest + 1, -1, -2, -4096, 1L << 40
      };
      for (long value : values) {
        byte[] wrong = whole.with(number.getKey(), value);
        long before = allocated();

        VmStateException failure = StreamReading.failure(wrong);

        assertThat(allocated() - before)
            .as("bytes allocated for %s = %d", number.getKey(), value)
            .isLessThan(MOST_ALLOCATED);
        if (failure != null) {
          assertThat(failure.getMessage()).startsWith("reading section ").contains(": expected ");
        }
      }
    }
  }

  private static long allocated() {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    return threads.getCurrentThreadAllocatedBytes();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      nullValues = "-",
      textBlock =
          """
          magic               | 1          | stream      | magic        | which begins with QEVM
          version             | 2          | stream      | version      | version 3 of the stream, not 2
          machine length      | 4000000000 | configuration | name       | bytes
          command length      | 1          | command     | -            | 0 bytes of data, there are 1
          ram version         | 3          | ram         | version      | version 4, it is 3
          ram total           | 4          | ram         | -            | -
          ram total           | -4092      | ram         | blocks       | a total of
          pc.ram length       | 0          | ram         | blocks/[0]   | a length of 1 to 20480
          pc.ram length       | 20481      | ram         | blocks/[0]   | a length of 1 to 20480
          pc.ram name         | 0          | ram         | blocks/[0]   | the name of a block
          fill                | 16386      | ram         | -            | a page of the 16384 bytes of pc.ram
          fill                | 34         | ram         | -            | there is no page before to go on from
          fill                | 128        | ram         | -            | RDMA
          fill                | 1024       | ram         | -            | its flags are 0x400
          fill                | 10         | ram         | -            | its flags are 0xa
          page                | 24616      | ram         | -            | a page of the 16384 bytes of pc.ram
          part 2              | 3          | stream      | header       | a section that has begun and not ended, not 3
          footer 2            | 3          | ram         | footer       | the footer of section 2
          footer 5            | 4          | timer       | footer       | the footer of section 5, there is 7e 00000004
          footer 6            | 7          | virtio-mmio@00000000feb02e00/virtio-net | footer | the footer of section 6
          timer instance      | 1          | timer       | -            | the description at the end does not have instance 1 of it
          description length  | 5          | timer       | -            | a handler for this section
          virtio-mmio@00000000feb02e00/virtio-net version | 12 | virtio-mmio@00000000feb02e00/virtio-net | version | version 11, it is 12
          queue_sel           | 1024       | virtio-mmio@00000000feb02e00/virtio-net | virtio/queue_sel | a ring below 1024
          nvq                 | 1025       | virtio-mmio@00000000feb02e00/virtio-net | virtio/nvq | at most 1024 rings
          num                 | 0          | virtio-mmio@00000000feb02e00/virtio-net | virtio/vq/[0]/num | a ring of 1 to 32768 entries
          config_len          | 4294967295 | virtio-mmio@00000000feb02e00/virtio-net | virtio/config | bytes
          """)
  void oneThingIsWrong(String number, long value, String section, String path, String expected) {
    VmStateException failure = refused(StreamBytes.whole().with(number, value));

    assertThat(failure.section()).isEqualTo(section);
    if (path != null) {
      assertThat(failure.path()).isEqualTo(path);
    }
    if (expected != null) {
      assertThat(failure.expected()).contains(expected);
    }
  }

  @ParameterizedTest
  @CsvSource({"magic, 1, 0", "version, 2, 4"})
  void aWrongNumberIsWhereItBegins(String number, long value, long offset) {
    assertThat(refused(StreamBytes.whole().with(number, value)).offset()).isEqualTo(offset);
  }

  @Test
  void aRecordThatDoesNotExistIsWhereItsTypeStands() {
    assertThat(refused(new StreamBytes().u8(9).toArray()).offset()).isEqualTo(8);
  }

  @Test
  void aSectionComesOnce() {
    StreamBytes stream = new StreamBytes().configuration("pc");
    stream.begin(4, 1, "timer", 0, 1).bytes(new byte[3]).footer(1);
    stream.begin(4, 2, "timer", 0, 1).bytes(new byte[3]).footer(2);
    stream.u8(0).description(DESCRIPTION);

    VmStateException failure = refused(stream.toArray());

    assertThat(failure.section()).isEqualTo("timer");
    assertThat(failure).hasMessageContaining("each section once, instance 0 comes again");
  }

  @Test
  void twoSectionsInPartsDoNotShareANumber() {
    StreamBytes stream = new StreamBytes();
    stream.begin(1, 1, "ram", 0, 4);
    stream.u64("", 4096 | RamFlag.MEM_SIZE).block("b", 4096).u64("", RamFlag.END).footer(1);
    stream.begin(1, 1, "ram", 1, 4);

    assertThat(refused(stream.toArray())).hasMessageContaining("a number of its own, 1 is in use");
  }

  @Test
  void theConfigurationStandsInFrontOfEverythingElse() {
    StreamBytes stream = new StreamBytes().configuration("pc").configuration("pc");

    assertThat(refused(stream.toArray())).hasMessageContaining("the configuration once");
  }

  @Test
  void recordsThatDoNotExist() {
    assertThat(refused(new StreamBytes().u8(9).toArray())).hasMessageContaining("not 09");
    assertThat(refused(new StreamBytes().u8(0).u8(5).toArray()))
        .hasMessageContaining("the description of the stream, not a record 5");
    byte[] behind = new StreamBytes().u8(0).description("{}").u8(1).toArray();
    assertThat(refused(behind)).hasMessageContaining("nothing more behind the last record");
  }

  @Test
  void anUnknownSubsectionIsNamed() {
    StreamBytes stream = new StreamBytes();
    stream.u8(7).u32("", 2).bytes(new byte[] {'p', 'c'});
    stream.u8(5).name("", "configuration/spare").u32("", 1);

    VmStateException failure = refused(stream.toArray());

    assertThat(failure.section()).isEqualTo("configuration");
    assertThat(failure.path()).isEqualTo("configuration/spare");
    assertThat(failure.expected()).isEqualTo("one of the subsections of configuration");
  }

  @Test
  void aDescriptionThatIsNoneIsOfNoHelp() {
    for (String json :
        new String[] {
          "",
          "[]",
          "{",
          "{\"devices\": 3}",
          "{\"devices\": [{}]}",
          "{\"devices\": [{\"name\": 3}",
          "{\"devices\": [{\"name\": \"timer\", \"fields\": [{\"size\": -1}]}]}",
          "{\"devices\": [{\"name\": \"timer\", \"fields\": [{\"size\": \"3\"}]}]}",
          "{\"devices\": [{\"name\": \"timer\", \"fields\": [{\"size\": 9e99}]}]}",
          "{\"devices\": [{\"name\": \"timer\", \"fields\":"
              + " [{\"size\": 4611686018427387904, \"array_len\": 4}]}]}",
          "{\"devices\": [{\"name\": \"timer\", \"fields\": [{\"size\": 99999999999999999999}]}]}",
        }) {
      StreamBytes stream = new StreamBytes();
      stream.begin(4, 1, "timer", 0, 1).bytes(new byte[3]).footer(1).u8(0).description(json);

      assertThat(refused(stream.toArray()).section()).as(json).isEqualTo("timer");
    }
  }

  @Test
  void aLengthThatTheDescriptionHasWrongShowsAtTheFooter() {
    for (int size : new int[] {0, 2, 4, 1000, Integer.MAX_VALUE}) {
      StreamBytes stream = new StreamBytes();
      stream.begin(4, 1, "timer", 0, 1).bytes(new byte[3]).footer(1).u8(0);
      stream.description(DESCRIPTION.replace("3", Integer.toString(size)));

      assertThat(refused(stream.toArray()).section()).as("%d", size).isEqualTo("timer");
    }
  }

  private static final String DESCRIPTION =
      "{\"page_size\": 4096, \"devices\": [{\"name\": \"timer\", \"instance_id\": 0,"
          + " \"fields\": [{\"name\": \"x\", \"size\": 3}]}]}";

  @Test
  void withoutADescriptionTheSectionThatCouldNotBePassedIsNamed() {
    StreamBytes stream = new StreamBytes();
    stream.begin(4, 1, "timer", 0, 1).bytes(new byte[3]).footer(1).u8(0);

    VmStateException failure = refused(stream.toArray());

    assertThat(failure.section()).isEqualTo("timer");
    assertThat(failure)
        .isInstanceOfSatisfying(
            UnknownSectionException.class,
            unknown ->
                assertThat(unknown.reason())
                    .isEqualTo(UnknownSectionException.Reason.NO_DESCRIPTION))
        .hasMessageContaining("a handler for this section: the stream has no description");
  }

  @Test
  void aSectionInPartsNeedsAHandler() {
    StreamBytes stream = new StreamBytes();
    stream.begin(1, 1, "dirty-bitmap", 0, 1).bytes(new byte[3]).footer(1).u8(0);
    stream.description(DESCRIPTION);

    assertThat(refused(stream.toArray()))
        .hasMessageContaining("section dirty-bitmap")
        .hasMessageContaining("a handler for this section, which comes in parts");
  }

  @Test
  void aStreamThatCannotBeReadSaysWhy() {
    InputStream broken =
        new InputStream() {
          @Override
          public int read() throws IOException {
            throw new IOException("the disk is gone");
          }

          @Override
          public int read(byte[] into, int from, int length) throws IOException {
            return read();
          }
        };

    assertThatThrownBy(() -> QemuStreamReader.builder().open(broken).next())
        .isInstanceOf(VmStateException.class)
        .hasMessageContaining("the disk is gone")
        .hasCauseInstanceOf(IOException.class);
  }

  @Test
  void featuresThatTheHostDoesNotOffer() {
    StreamBytes whole = new StreamBytes();
    whole.begin(4, 6, "0000:00:02.0/virtio-net", 0, 11);
    whole.bytes(Fixtures.load(Fixtures.PCI_LEGACY)).footer(6).u8(0);
    var reader =
        QemuStreamReader.builder()
            .shape(header -> Optional.of(SectionShape.pci(1, 256).offering(0x20L)))
            .open(ByteBuffer.wrap(whole.toArray()));

    assertThatThrownBy(() -> StreamReading.all(reader))
        .isInstanceOf(VmStateException.class)
        .hasMessageContaining("field virtio/guest_features")
        .hasMessageContaining("only features that this device offers");
  }

  @Test
  void vectorsOutOfRange() {
    byte[] body = Fixtures.load(Fixtures.PCI_MODERN);
    int table = 4 + 256 + 16;
    int configVector = table + 4 * 16 + 1;
    StreamBytes whole = new StreamBytes();
    body[configVector] = 0;
    body[configVector + 1] = 4; // of 4 vectors
    whole.begin(4, 6, "0000:00:01.0/virtio-net", 0, 11).bytes(body).footer(6).u8(0);

    VmStateException failure = refused(whole.toArray());

    assertThat(failure.path()).isEqualTo("virtio/transport/config_vector");
    assertThat(failure.expected()).isEqualTo("one of the MSI-X vectors, or none");
    int from =
        Objects.requireNonNull(whole.numbers().get("0000:00:01.0/virtio-net version")).at() + 4;
    assertThat(failure.offset()).isEqualTo(from + configVector + 2);
  }
}
