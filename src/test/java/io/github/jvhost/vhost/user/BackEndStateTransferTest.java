package io.github.jvhost.vhost.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndChannel;
import io.github.jvhost.channel.BackEndRequestHandler.Answer;
import io.github.jvhost.channel.backend.BackEndRequester;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.DeviceStateTransfer;
import io.github.jvhost.protocol.DeviceStateTransfer.Direction;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.sys.io.Pipe;
import io.github.jvhost.sys.io.PipeReader;
import io.github.jvhost.sys.io.PipeWriter;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A back end's own state, out of it and into it, with back ends that do not play along. */
class BackEndStateTransferTest {
  private static final FrontEndRequest SET = FrontEndRequest.SET_DEVICE_STATE_FD;
  private static final FrontEndRequest CHECK = FrontEndRequest.CHECK_DEVICE_STATE;
  private static final U64 PIPE_IS_USED = new U64(DeviceStateTransfer.NO_DESCRIPTOR);

  private final ScriptedBackEnd backEnd = new ScriptedBackEnd();
  private final BackEndStateTransfer transfer = new BackEndStateTransfer(backEnd.ledger, 1 << 20);
  private final ByteArrayOutputStream saved = new ByteArrayOutputStream();

  @AfterEach
  void nothingIsLeft() {
    backEnd.close();
  }

  private static byte[] state(int size) {
    byte[] state = new byte[size];
    new SplittableRandom(size).nextBytes(state);
    return state;
  }

  private long save() {
    return transfer.save(backEnd.frontEnd, Channels.newChannel(saved), ScriptedBackEnd.soon());
  }

  private long load(byte[] state) {
    return transfer.load(
        backEnd.frontEnd,
        Channels.newChannel(new ByteArrayInputStream(state)),
        ScriptedBackEnd.soon());
  }

  /** For the peer: takes its end of the pipe. */
  private static OwnedDescriptor begin(ScriptedBackEnd peer, Direction direction) {
    Received received = peer.expect(SET);
    assertThat(ScriptedBackEnd.payload(SET, received))
        .isEqualTo(new DeviceStateTransfer(direction));
    peer.answer(SET, PIPE_IS_USED);
    return received.descriptors().getFirst();
  }

  private static void write(PipeWriter writer, byte[] bytes) {
    ByteBuffer all = ByteBuffer.wrap(bytes);
    while (all.hasRemaining()) {
      assertThat(writer.write(all, ScriptedBackEnd.soon())).isPositive();
    }
  }

  private static byte[] readToEnd(PipeReader reader) {
    var all = new ByteArrayOutputStream();
    ByteBuffer buffer = ByteBuffer.allocate(10_000);
    int count = reader.read(buffer, ScriptedBackEnd.soon());
    while (count > 0) {
      all.write(buffer.array(), 0, count);
      count = reader.read(buffer.clear(), ScriptedBackEnd.soon());
    }
    assertThat(count).isEqualTo(-1);
    return all.toByteArray();
  }

  private static void check(ScriptedBackEnd peer, long answer) {
    peer.expect(CHECK);
    peer.answer(CHECK, new U64(answer));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 64 * 1024, 300_000, 1 << 20})
  void aStateComesOutWhole(int size) {
    backEnd.plays(peer -> {
      try (PipeWriter writer = PipeWriter.adopt(begin(peer, Direction.SAVE))) {
        write(writer, state(size));
      }
      check(peer, 0);
    });

    assertThat(save()).isEqualTo(size);
    assertThat(saved.toByteArray()).isEqualTo(state(size));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 64 * 1024, 300_000, 1 << 20})
  void aStateGoesInWhole(int size) {
    backEnd.plays(peer -> {
      try (PipeReader reader = PipeReader.adopt(begin(peer, Direction.LOAD))) {
        assertThat(readToEnd(reader)).isEqualTo(state(size));
      }
      check(peer, 0);
    });

    assertThat(load(state(size))).isEqualTo(size);
  }

  @Test
  void aDescriptorOfTheBackEndsOwnTakesThePipesPlaceWhenSaving() {
    backEnd.plays(peer -> {
      try (Pipe own = Pipe.open(peer.ledger, "of the peer's own")) {
        Received received = peer.expect(SET);
        peer.answer(SET, new U64(0), own.readEnd());
        // Nobody reads what goes into the pipe that the front end made.
        requireNobodyReads(received.descriptors().getFirst());
        try (PipeWriter writer = PipeWriter.adopt(own.writeEnd())) {
          write(writer, state(5_000));
        }
      }
      check(peer, 0);
    });

    assertThat(save()).isEqualTo(5_000);
    assertThat(saved.toByteArray()).isEqualTo(state(5_000));
  }

  @Test
  void aDescriptorOfTheBackEndsOwnTakesThePipesPlaceWhenLoading() {
    backEnd.plays(peer -> {
      try (Pipe own = Pipe.open(peer.ledger, "of the peer's own")) {
        Received received = peer.expect(SET);
        peer.answer(SET, new U64(0), own.writeEnd());
        own.writeEnd().close();
        try (PipeReader theirs = PipeReader.adopt(received.descriptors().getFirst());
            PipeReader reader = PipeReader.adopt(own.readEnd())) {
          assertThat(readToEnd(reader)).isEqualTo(state(5_000));
          assertThat(readToEnd(theirs)).isEmpty();
        }
      }
      check(peer, 0);
    });

    assertThat(load(state(5_000))).isEqualTo(5_000);
  }

  /** Writes until it fails: the front end may not have closed its end at once. */
  private static void requireNobodyReads(OwnedDescriptor end) {
    try (PipeWriter writer = PipeWriter.adopt(end)) {
      assertThatThrownBy(
              () -> {
                for (int i = 0; i < 1_000_000; i++) {
                  write(writer, new byte[] {1});
                }
              })
          .isInstanceOf(SystemCallException.class)
          .hasMessageContaining("EPIPE");
    }
  }

  @Test
  void aBackEndThatCannotIsRefused() {
    backEnd.plays(peer -> {
      peer.expect(SET);
      peer.answer(SET, new U64(DeviceStateTransfer.NO_DESCRIPTOR | 1));
    });

    assertThatThrownBy(this::save)
        .isInstanceOf(BackEndRefusedException.class)
        .hasMessageContaining("SET_DEVICE_STATE_FD");
  }

  @Test
  void aStateThatTheBackEndIsNotContentWithIsRefused() {
    backEnd.plays(peer -> {
      try (PipeReader reader = PipeReader.adopt(begin(peer, Direction.LOAD))) {
        readToEnd(reader);
      }
      check(peer, 5);
    });

    assertThatThrownBy(() -> load(state(10)))
        .isInstanceOf(BackEndRefusedException.class)
        .hasMessage("dev0: CHECK_DEVICE_STATE: the back end answered 5");
  }

  @Test
  void aBackEndThatWritesWithoutEndIsLimited() {
    backEnd.plays(peer -> {
      try (PipeWriter writer = PipeWriter.adopt(begin(peer, Direction.SAVE))) {
        assertThatThrownBy(() -> write(writer, new byte[2 << 20]))
            .isInstanceOf(SystemCallException.class);
      }
    });

    assertThatThrownBy(this::save)
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessage("dev0: the back end's state has more than 1048576 bytes");
    assertThat(saved.size()).isLessThanOrEqualTo(1 << 20);
  }

  @Test
  void aStreamThatGivesMoreThanTheLimitIsNotLoaded() {
    backEnd.plays(peer -> {
      try (PipeReader reader = PipeReader.adopt(begin(peer, Direction.LOAD))) {
        assertThat(readToEnd(reader).length).isLessThanOrEqualTo(1 << 20);
      }
    });

    assertThatThrownBy(() -> load(new byte[(1 << 20) + 1]))
        .hasMessageContaining("more than 1048576 bytes");
  }

  @Test
  void aBackEndThatNeverClosesIsNotWaitedFor() {
    backEnd.plays(peer -> begin(peer, Direction.SAVE)); // open until the test is over

    assertThatThrownBy(() ->
            transfer.save(backEnd.frontEnd, Channels.newChannel(saved), ScriptedBackEnd.brief()))
        .isInstanceOf(DeadlineException.class)
        .hasMessageContaining("dev0");
  }

  @Test
  void aBackEndThatNeverReadsIsNotWaitedFor() {
    backEnd.plays(peer -> begin(peer, Direction.LOAD));

    assertThatThrownBy(() ->
            transfer.load(
                backEnd.frontEnd,
                Channels.newChannel(new ByteArrayInputStream(new byte[1 << 20])),
                ScriptedBackEnd.brief()))
        .isInstanceOf(DeadlineException.class)
        .hasMessageContaining("dev0");
  }

  @Test
  void aBackEndThatStopsReadingIsSaidToHave() {
    backEnd.plays(peer -> begin(peer, Direction.LOAD).close());

    assertThatThrownBy(() -> load(new byte[1 << 20]))
        .isInstanceOf(BackEndRefusedException.class)
        .hasMessageContaining("the back end stopped reading its state after");
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aHangUpEndsTheTransfer(boolean saves) {
    backEnd.plays(peer -> {
      begin(peer, saves ? Direction.SAVE : Direction.LOAD);
      peer.hangUp(); // and its end of the pipe stays open, as that of a child process would
    });

    assertThatThrownBy(() -> saveOrLoad(saves))
        .isInstanceOf(BackEndGoneException.class)
        .hasMessageContaining("dev0");
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void whatNobodyAskedForEndsTheTransfer(boolean saves) {
    backEnd.plays(peer -> {
      begin(peer, saves ? Direction.SAVE : Direction.LOAD);
      peer.answer(FrontEndRequest.GET_STATUS, new U64(0));
    });

    assertThatThrownBy(() -> saveOrLoad(saves)).isInstanceOf(ProtocolException.class);
    assertThat(backEnd.channel().poisoned()).isTrue();
  }

  private long saveOrLoad(boolean saves) {
    return saves ? save() : load(new byte[1 << 20]);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aBackEndThatAsksBeforeItGoesOnIsAnswered(boolean saves) {
    BackEndChannel.Opened opened =
        BackEndChannel.open(
            "dev0",
            ScriptedBackEnd.DIALECT,
            backEnd.ledger,
            (request, _, _) ->
                request == BackEndRequest.CONFIG_CHANGE_MSG ? Answer.DONE : Answer.REFUSED);
    backEnd.channel().serve(opened.channel());
    backEnd.plays(peer -> {
      OwnedDescriptor end = begin(peer, saves ? Direction.SAVE : Direction.LOAD);
      try (BackEndRequester asking = BackEndRequester.adopt(opened.theirs(), "peer", peer.ledger)) {
        asking.send(
            BackEndRequest.CONFIG_CHANGE_MSG, new byte[0], List.of(), true, ScriptedBackEnd.soon());
        assertThat(asking.awaitAnswer(ScriptedBackEnd.soon()).result()).isZero();
      }
      goOn(end, saves);
      check(peer, 0);
    });

    assertThat(saveOrLoad(saves)).isEqualTo(1 << 20);
  }

  private static void goOn(OwnedDescriptor end, boolean saves) {
    if (saves) {
      try (PipeWriter writer = PipeWriter.adopt(end)) {
        write(writer, new byte[1 << 20]);
      }
    } else {
      try (PipeReader reader = PipeReader.adopt(end)) {
        assertThat(readToEnd(reader)).hasSize(1 << 20);
      }
    }
  }

  @Test
  void whoeverGetsTheStateMayFail() {
    backEnd.plays(peer -> {
      try (PipeWriter writer = PipeWriter.adopt(begin(peer, Direction.SAVE))) {
        assertThatThrownBy(() -> write(writer, new byte[1 << 20]))
            .isInstanceOf(SystemCallException.class);
      }
    });
    OutputStream broken =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            throw new IOException("the disk is full");
          }
        };

    assertThatThrownBy(() ->
            transfer.save(backEnd.frontEnd, Channels.newChannel(broken), ScriptedBackEnd.soon()))
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessageContaining("the disk is full");
  }

  @Test
  void whoeverGivesTheStateMayFail() {
    backEnd.plays(peer -> {
      try (PipeReader reader = PipeReader.adopt(begin(peer, Direction.LOAD))) {
        readToEnd(reader);
      }
    });
    ReadableByteChannel broken =
        new ReadableByteChannel() {
          @Override
          public int read(ByteBuffer into) throws IOException {
            throw new IOException("the stream broke off");
          }

          @Override
          public boolean isOpen() {
            return true;
          }

          @Override
          public void close() {
            // Stays open: it belongs to whoever gives the state.
          }
        };

    assertThatThrownBy(() -> transfer.load(backEnd.frontEnd, broken, ScriptedBackEnd.soon()))
        .hasMessageContaining("the stream broke off");
  }

  @Test
  void aHangUpInTheMiddleOfTheAnswerLeavesNothing() {
    backEnd.plays(peer -> {
      peer.expect(SET);
      byte[] half = Arrays.copyOf(new byte[] {42, 0, 0, 0, Header.REPLY_FLAGS}, 10);
      peer.raw(half);
      peer.hangUp();
    });

    assertThatThrownBy(this::save).isInstanceOf(BackEndGoneException.class);
  }

  @Test
  void aStateIsReadAndWrittenAsItWas() {
    byte[] state = state(300_000);
    var stream = new ByteArrayOutputStream();
    backEnd.plays(peer -> {
      try (PipeWriter writer = PipeWriter.adopt(begin(peer, Direction.SAVE))) {
        write(writer, state);
      }
      check(peer, 0);
      try (PipeReader reader = PipeReader.adopt(begin(peer, Direction.LOAD))) {
        assertThat(readToEnd(reader)).isEqualTo(state);
      }
      check(peer, 0);
    });

    transfer.save(backEnd.frontEnd, Channels.newChannel(stream), ScriptedBackEnd.soon());
    var source = Channels.newChannel(new ByteArrayInputStream(stream.toByteArray()));
    long loaded = transfer.load(backEnd.frontEnd, source, ScriptedBackEnd.soon());

    assertThat(loaded).isEqualTo(state.length);
  }
}
