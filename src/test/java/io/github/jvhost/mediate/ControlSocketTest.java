package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OpenDescriptors;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What operators ask, and what hostile clients try. */
@Timeout(60)
class ControlSocketTest {
  private static final Duration LONG = Duration.ofSeconds(30);
  private static final NicStatus NET0 =
      new NicStatus(
          "net0",
          "RUNNING",
          true,
          "/run/vhost0",
          new NicStatus.Standby("/run/vhost-b", true),
          1L << 32 | 1L << 15,
          List.of(new NicStatus.Ring(256, true), new NicStatus.Ring(0, false)),
          44,
          20,
          new NicStatus.Presetup("the peer, generation 1", true, 14, 1000),
          new NicStatus.Start(List.of("a \"step\""), 7, 65),
          null,
          "keeper /run/keep: it hung up");

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final Answers answers = new Answers();
  private Path directory;
  private int filesBefore;
  private ControlSocket control;

  /** Answers at once, but for a move to /slow. */
  private static final class Answers implements ControlSocket.Operations {
    private final CountDownLatch slowMoveBegun = new CountDownLatch(1);

    @Override
    public List<NicStatus> status() {
      return List.of(NET0);
    }

    @Override
    public MoveResult move(String nic, String address, Duration within) {
      if (address.equals("/slow")) {
        slowMoveBegun.countDown();
        try {
          assertThat(new CountDownLatch(1).await(50, TimeUnit.SECONDS)).isFalse();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
        throw new VhostException("it was interrupted", Recovery.RETRY);
      }
      return new MoveResult(address, 1500);
    }

    @Override
    public void standby(String nic, @Nullable String address) {
      if (!nic.equals("net0")) {
        throw new IllegalStateException("an error \"of\" ours");
      }
    }
  }

  @BeforeAll
  static void useTheSocketLibraryOnce() throws IOException {
    Path directory = Files.createTempDirectory("jvhost");
    try (ControlSocket once =
        ControlSocket.listen(
            directory.resolve("c"), new Answers(), DescriptorLedger.counting(), LONG)) {
      once.begin();
      ControlClient.ask(directory.resolve("c"), "status", LONG, DescriptorLedger.counting());
    }
    Files.delete(directory);
  }

  @BeforeEach
  void listen() throws IOException {
    directory = Files.createTempDirectory("jvhost");
    filesBefore = OpenDescriptors.count();
    listen(LONG);
  }

  private void listen(Duration patience) {
    control = ControlSocket.listen(directory.resolve("c"), answers, ledger, patience);
    control.begin();
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    control.close();
    assertThat(ledger.describeOpen()).isEmpty();
    assertThat(OpenDescriptors.count()).isLessThanOrEqualTo(filesBefore);
    Files.delete(directory); // fails where the socket is still in it
  }

  private String ask(String request) {
    return ControlClient.ask(directory.resolve("c"), request, LONG, ledger);
  }

  private SocketChannel connect() throws IOException {
    return SocketChannel.open(UnixDomainSocketAddress.of(directory.resolve("c")));
  }

  private static void write(SocketChannel to, String text) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
    while (bytes.hasRemaining()) {
      to.write(bytes);
    }
  }

  /** Everything until the mediator hangs up. */
  private static String rest(SocketChannel from) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(1 << 16);
    while (from.read(bytes) >= 0) {
      assertThat(bytes.hasRemaining()).isTrue();
    }
    return new String(bytes.array(), 0, bytes.position(), StandardCharsets.UTF_8);
  }

  @Test
  void eachRequestHasOneLineOfJson() {
    assertThat(ask("status"))
        .isEqualTo(
            "{\"ok\":true,\"nics\":[{\"nic\":\"net0\",\"state\":\"RUNNING\",\"logging\":true,"
                + "\"switch\":\"/run/vhost0\","
                + "\"standby\":{\"switch\":\"/run/vhost-b\",\"ready\":true},"
                + "\"features\":\"0x0000000100008000\","
                + "\"featureNames\":[\"MRG_RXBUF\",\"VERSION_1\"],"
                + "\"rings\":[{\"size\":256,\"enabled\":true},{\"size\":0,\"enabled\":false}],"
                + "\"messages\":44,\"messagesToTheSwitch\":20,"
                + "\"presetup\":{\"from\":\"the peer, generation 1\",\"complete\":true,"
                + "\"messages\":14,\"micros\":1000},"
                + "\"lastStart\":{\"messages\":7,\"micros\":65,\"steps\":[\"a \\\"step\\\"\"]},"
                + "\"lastFailure\":null,\"notSaved\":\"keeper /run/keep: it hung up\"}]}");
    assertThat(ask("move net0 /run/b"))
        .isEqualTo("{\"ok\":true,\"nic\":\"net0\",\"switch\":\"/run/b\",\"micros\":1500}");
    assertThat(ask("standby net0 none"))
        .isEqualTo("{\"ok\":true,\"nic\":\"net0\",\"standby\":null}");
  }

  @Test
  void errorsAreAnswersAndTheConnectionGoesOn() throws IOException {
    try (SocketChannel client = connect()) {
      write(client, "lunch\nstandby net1 /b\nstandby net0 /b\n");
      client.shutdownOutput();
      assertThat(rest(client).lines())
          .containsExactly(
              "{\"ok\":false,\"error\":\"the request is none of status, move, standby\","
                  + "\"again\":false}",
              "{\"ok\":false,\"error\":\"an error of the mediator: java.lang.IllegalStateException:"
                  + " an error \\\"of\\\" ours\",\"again\":false}",
              "{\"ok\":true,\"nic\":\"net0\",\"standby\":\"/b\"}");
    }
  }

  @Test
  void onlyItsUserCanConnect() throws IOException {
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve("c"))))
        .isEqualTo("rw-------");
  }

  @Test
  void aSecondOneRefusesToListenThere() {
    assertThatThrownBy(() -> ControlSocket.listen(directory.resolve("c"), answers, ledger, LONG))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("somebody listens there already");
  }

  @Test
  void aMoveKeepsNobodyWaiting() throws Exception {
    var answer = new CompletableFuture<String>();
    Thread.ofPlatform().start(() -> answer.complete(ask("move net0 /slow")));
    assertThat(answers.slowMoveBegun.await(30, TimeUnit.SECONDS)).isTrue();

    assertThat(ask("status")).contains("net0");
    control.close();
    assertThat(answer.get(30, TimeUnit.SECONDS)).contains("it was interrupted");
  }

  @Test
  void aClientThatNeverReadsIsHungUpOn() throws IOException {
    control.close();
    listen(Duration.ofMillis(200));
    try (SocketChannel flood = connect()) {
      flood.configureBlocking(false);
      ByteBuffer requests =
          ByteBuffer.wrap("status\n".repeat(1000).getBytes(StandardCharsets.UTF_8));
      assertThatThrownBy(
              () -> {
                while (true) {
                  requests.rewind();
                  if (flood.write(requests) == 0) {
                    assertThat(ask("status")).as("others are served").contains("net0");
                  }
                }
              })
          .isInstanceOf(IOException.class);
    }
  }

  @Test
  void halfALineIsHungUpOn() throws IOException {
    control.close();
    listen(Duration.ofMillis(100));
    try (SocketChannel client = connect()) {
      write(client, "stat");
      assertThat(rest(client)).contains("\"ok\":false", "sent no whole line within 100 ms");
    }
  }

  @Test
  void aLineThatIsTooLongOrNoTextIsHungUpOn() throws IOException {
    try (SocketChannel client = connect()) {
      write(client, "x".repeat(ControlSocket.LONGEST_REQUEST));
      assertThat(rest(client)).contains("a line of more than 4096 bytes");
    }
    try (SocketChannel client = connect()) {
      client.write(ByteBuffer.wrap(new byte[] {'a', (byte) 0xff, '\n'}));
      assertThat(rest(client)).contains("not UTF-8");
    }
    String longest = "x".repeat(ControlSocket.LONGEST_REQUEST - 1);
    assertThat(ask(longest)).contains("none of status, move, standby");
  }

  @Test
  void theNinthClientIsTold() throws IOException {
    List<SocketChannel> others = new ArrayList<>();
    try {
      for (int i = 0; i < ControlSocket.MOST_CLIENTS; i++) {
        SocketChannel other = connect();
        others.add(other);
        write(other, "status\n");
        assertThat(other.read(ByteBuffer.allocate(1))).isEqualTo(1);
      }
      try (SocketChannel ninth = connect()) {
        assertThat(rest(ninth)).contains("8 clients are connected already", "\"again\":true");
      }
    } finally {
      for (SocketChannel other : others) {
        other.close();
      }
    }
  }

  /** Whatever comes: each line has an answer, or the connection ends, and others are served. */
  @Test
  void rubbishIsAnsweredOrHungUpOn() throws IOException {
    var random = new Random(17);
    for (int i = 0; i < 200; i++) {
      byte[] rubbish = new byte[random.nextInt(6000)];
      random.nextBytes(rubbish);
      if (random.nextBoolean()) {
        for (int at = 0; at < rubbish.length; at++) {
          rubbish[at] = (byte) "status move net0/\n ".charAt(Math.floorMod(rubbish[at], 18));
        }
      }
      try (SocketChannel client = connect()) {
        client.write(ByteBuffer.wrap(rubbish));
        client.shutdownOutput();
        assertThat(rest(client).lines()).allMatch(line -> line.startsWith("{\"ok\":"));
      } catch (IOException e) {
        // it has hung up before all was written or read
      }
    }
    assertThat(ask("status")).contains("net0");
  }
}
