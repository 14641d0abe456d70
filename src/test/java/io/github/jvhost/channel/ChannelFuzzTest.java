package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.openFiles;
import static io.github.jvhost.channel.ChannelPair.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.github.jvhost.Bytes;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.ConfigSpace;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PayloadKind;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.Poller;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Replies and back-end requests, mutated or made of noise, in pieces, with descriptors. {@code
 * -Djvhost.fuzz.cases=N} sets how many, {@code -Djvhost.fuzz.seed=N} repeats a run.
 */
class ChannelFuzzTest {
  private static final int CASES = Integer.getInteger("jvhost.fuzz.cases", 50_000);
  private static final long SEED = Long.getLong("jvhost.fuzz.seed", 0x5eed_0004L);

  /** Per case, a new pair of sockets and their buffers included. */
  private static final long MOST_BYTES = 2L << 20;

  private final com.sun.management.ThreadMXBean threads =
      (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();

  private final Poller poller = new Poller(1);

  @AfterEach
  void closePoller() {
    poller.close();
  }

  @Test
  void repliesEndAsRepliesOrAsOneException() throws Exception {
    SplittableRandom random = new SplittableRandom(SEED);
    long filesBefore = openFiles("memfd:");
    long refused = 0;
    long taken = 0;
    boolean over = false;
    ChannelPair pair = ChannelPair.open();
    for (int i = 0; i < CASES; i++) {
      if (over || pair.channel.poisoned()) {
        over = false;
        refused++;
        requireNothingLeft(i, pair.ledger, pair::close);
        pair = ChannelPair.open();
      }
      FrontEndRequest request = next(random);
      pair.channel.negotiated(~(ProtocolFeature.XEN_MMAP.mask() | ruledOutBy(request)));
      byte[] answer = mutated(answer(request, random), random);
      int descriptors = descriptors(request.maxReplyDescriptors(), random);
      long before = threads.getCurrentThreadAllocatedBytes();
      try {
        ask(pair, request);
        deliver(
            pair.peer::writeRaw,
            pair.ledger,
            answer,
            descriptors,
            random,
            pair.channel::receiveAvailable);
        if (!receiveAll(pair)) {
          over = true;
          pair.peer.close(); // half a reply: the end of the stream ends the wait
        }
        if (pair.channel.outstandingReplies() > 0) {
          pair.channel.awaitReply(soon()).descriptors().forEach(OwnedDescriptor::close);
          taken++;
        }
      } catch (VhostException e) {
        if (!pair.channel.poisoned()) {
          fail(describe(i, request.name(), descriptors, answer), e);
        }
      } catch (RuntimeException | Error e) {
        fail(describe(i, request.name(), descriptors, answer), e);
      }
      if (!over && !pair.channel.poisoned()) {
        drain(pair);
      }
      requireBounded(i, before, request.name(), descriptors, answer);
    }
    pair.close();
    assertThat(openFiles("memfd:")).as("seed %d", SEED).isEqualTo(filesBefore);
    assertThat(refused).as("refused of %d", CASES).isBetween(CASES / 10L, CASES - 1L);
    assertThat(taken).as("taken of %d", CASES).isGreaterThan(CASES / 10L);
  }

  /** Reads that could take descriptors end with the header, so one is not enough. */
  private static boolean receiveAll(ChannelPair pair) {
    for (int i = 0; i < 4; i++) {
      if (pair.channel.receiveAvailable()) {
        return true;
      }
    }
    return false;
  }

  /** What was asked is taken from the socket, so that it does not fill. */
  private static void drain(ChannelPair pair) {
    pair.peer.receive(soon()).descriptors().forEach(OwnedDescriptor::close);
  }

  private static FrontEndRequest next(SplittableRandom random) {
    List<FrontEndRequest> requests =
        List.of(
            FrontEndRequest.GET_FEATURES,
            FrontEndRequest.GET_CONFIG,
            FrontEndRequest.GET_INFLIGHT_FD,
            FrontEndRequest.GET_VRING_BASE,
            FrontEndRequest.POSTCOPY_ADVISE,
            FrontEndRequest.GET_SHMEM_CONFIG);
    return requests.get(random.nextInt(requests.size()));
  }

  /** Postcopy must not be asked for where memory slots are negotiated (vhost-user, "Migration"). */
  private static long ruledOutBy(FrontEndRequest request) {
    return request == FrontEndRequest.POSTCOPY_ADVISE
        ? ProtocolFeature.CONFIGURE_MEM_SLOTS.mask()
        : 0;
  }

  private static void ask(ChannelPair pair, FrontEndRequest request) {
    Payload payload =
        switch (request) {
          case GET_CONFIG -> new ConfigSpace(0, 0, Bytes.zeros(8));
          case GET_INFLIGHT_FD -> new Inflight(0, 0, 2, 256);
          case GET_VRING_BASE -> new VringState(0, 0);
          default -> NoPayload.INSTANCE;
        };
    pair.send(request, payload, false);
    pair.channel.flush(soon());
  }

  private static byte[] answer(FrontEndRequest request, SplittableRandom random) {
    byte[] payload = new byte[payloadSize(request)];
    if (random.nextBoolean()) {
      random.nextBytes(payload);
    }
    if (request == FrontEndRequest.GET_CONFIG) {
      ByteBuffer.wrap(payload).order(ByteOrder.nativeOrder()).putInt(0).putInt(8).putInt(0);
    }
    return BackEndPair.message(request.fixedId().getAsInt(), 5, payload);
  }

  private static int payloadSize(FrontEndRequest request) {
    return switch (request) {
      case GET_CONFIG -> 20;
      case GET_INFLIGHT_FD -> 24;
      case POSTCOPY_ADVISE -> 0;
      case GET_SHMEM_CONFIG -> 2056;
      default -> 8;
    };
  }

  @Test
  void backEndRequestsAreServedOrEndTheChannel() throws Exception {
    SplittableRandom random = new SplittableRandom(SEED + 1);
    long filesBefore = openFiles("memfd:");
    long refused = 0;
    long taken = 0;
    BackEndPair pair = BackEndPair.open();
    for (int i = 0; i < CASES; i++) {
      if (!pair.channel.isOpen()) {
        refused++;
        requireNothingLeft(i, pair.ledger, pair::close);
        pair = BackEndPair.open();
      }
      pair.channel.negotiated(random.nextInt(8) == 0 ? random.nextLong() : -1L);
      byte[] request = mutated(request(random), random);
      int descriptors = descriptors(request[0] == 3 || request[0] == 9 ? 1 : 0, random);
      long before = threads.getCurrentThreadAllocatedBytes();
      try {
        deliver(
            pair.backEnd::writeRaw,
            pair.ledger,
            request,
            descriptors,
            random,
            pair.channel::serveAvailable);
        pair.channel.serveAvailable();
        drain(pair);
      } catch (VhostException e) {
        // The back end's own end, when the front end has closed.
        if (pair.channel.isOpen()) {
          fail(describe(i, "request", descriptors, request), e);
        }
      } catch (RuntimeException | Error e) {
        fail(describe(i, "request", descriptors, request), e);
      }
      taken += pair.handled.size();
      pair.handled.clear();
      pair.payloads.clear();
      requireBounded(i, before, "request", descriptors, request);
    }
    pair.close();
    assertThat(openFiles("memfd:")).as("seed %d", SEED).isEqualTo(filesBefore);
    assertThat(refused).as("refused of %d", CASES).isBetween(CASES / 10L, CASES - 1L);
    assertThat(taken).as("handed on of %d", CASES).isGreaterThan(CASES / 10L);
  }

  /** What was answered is taken from the socket, so that it does not fill. */
  private void drain(BackEndPair pair) {
    poller.clear();
    poller.add(pair.backEnd.number(), Poller.IN);
    while (poller.await(0) != 0) {
      pair.backEnd.awaitAnswer(soon()).descriptors().forEach(OwnedDescriptor::close);
    }
  }

  private static byte[] request(SplittableRandom random) {
    BackEndRequest[] all = BackEndRequest.values();
    BackEndRequest request = all[random.nextInt(all.length)];
    PayloadKind layout = request.payload();
    byte[] payload = new byte[layout == PayloadKind.IOTLB ? 32 : layout.minSize()];
    if (random.nextInt(3) == 0) {
      random.nextBytes(payload);
    } else if (layout == PayloadKind.IOTLB) {
      payload[25] = 1;
    }
    return BackEndPair.message(request.id(), random.nextBoolean() ? 9 : 1, payload);
  }

  private static int descriptors(int right, SplittableRandom random) {
    return random.nextInt(6) == 0 ? random.nextInt(11) : right;
  }

  private static byte[] mutated(byte[] valid, SplittableRandom random) {
    if (random.nextInt(12) == 0) {
      byte[] noise = new byte[1 + random.nextInt(random.nextBoolean() ? 40 : 5000)];
      random.nextBytes(noise);
      return noise;
    }
    byte[] bytes = valid.clone();
    for (int n = random.nextInt(3); n > 0; n--) {
      int at = random.nextInt(random.nextBoolean() ? 12 : bytes.length);
      switch (random.nextInt(4)) {
        case 0 -> bytes[at % bytes.length] = (byte) random.nextInt();
        case 1 -> bytes[at % bytes.length] ^= (byte) (1 << random.nextInt(8));
        case 2 -> bytes = Arrays.copyOf(bytes, 1 + at);
        default -> bytes = Arrays.copyOf(bytes, bytes.length + random.nextInt(20));
      }
    }
    return bytes;
  }

  private interface Writer {
    void write(byte[] bytes, List<OwnedDescriptor> descriptors, Deadline by);
  }

  /** Up to three writes; what reads at the other end runs in between. */
  private static void deliver(
      Writer writer,
      DescriptorLedger ledger,
      byte[] bytes,
      int descriptors,
      SplittableRandom random,
      Runnable between) {
    int at = 0;
    int withDescriptors = random.nextInt(10) == 0 ? 1 : 0;
    try (MemoryFile file = MemoryFile.create(ledger, "fuzz", 4096)) {
      for (int piece = 0; at < bytes.length; piece++) {
        int end = piece == 2 ? bytes.length : at + 1 + random.nextInt(bytes.length - at);
        int travelling = piece == withDescriptors ? descriptors : 0;
        writer.write(
            Arrays.copyOfRange(bytes, at, end),
            Collections.nCopies(travelling, file.descriptor()),
            soon());
        at = end;
        between.run();
      }
    }
  }

  private void requireBounded(int i, long before, String what, int descriptors, byte[] bytes) {
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    if (allocated > MOST_BYTES && i > 1000) {
      fail(allocated + " bytes allocated: " + describe(i, what, descriptors, bytes));
    }
  }

  private static void requireNothingLeft(int i, DescriptorLedger ledger, Runnable close) {
    close.run();
    assertThat(ledger.describeOpen()).as("seed %d, before case %d", SEED, i).isEmpty();
  }

  private static String describe(int i, String what, int descriptors, byte[] bytes) {
    return "seed %d case %d, %s with %d descriptors, %s"
        .formatted(SEED, i, what, descriptors, HexFormat.of().formatHex(bytes));
  }
}
