package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.BackEndListener;
import io.github.jvhost.channel.backend.FrontEndGoneException;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Passes all messages on between a front end and its back ends, and records what the front end
 * sends.
 *
 * <pre>
 *   front end ---- DIR/0 ---- | recorder | ---- socket 0 of the C back end
 *                                  |
 *                             message by message, with its descriptors counted
 * </pre>
 *
 * <p>It has one thread per device, for one connection each.
 */
final class ConversationRecorder implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final List<Line> lines = new ArrayList<>();
  private final Dialect dialect;

  /** How many phases have begun. */
  private final AtomicInteger phase = new AtomicInteger();

  /**
   * Listens beside the back ends.
   *
   * @param backEnds their sockets
   * @param directory empty; the sockets for the front end are made here
   */
  ConversationRecorder(
      List<Path> backEnds, Path directory, Dialect dialect, DescriptorLedger ledger) {
    this.dialect = dialect;
    for (int i = 0; i < backEnds.size(); i++) {
      BackEndListener listener = BackEndListener.listen(directory.resolve("" + i), ledger);
      lines.add(new Line(listener, backEnds.get(i), ledger));
    }
  }

  /** Where a front end finds the devices. */
  List<Path> sockets() {
    return lines.stream().map(line -> line.listener.path()).toList();
  }

  /** Marks the beginning of the next phase. All earlier answers have arrived. */
  void phaseBegins() {
    phase.incrementAndGet();
  }

  /**
   * Waits until the front end has closed its connections.
   *
   * @throws VhostException something went wrong on the way
   */
  Recording finish() {
    return new Recording(lines.stream().map(Line::finish).toList());
  }

  @Override
  public void close() {
    lines.forEach(Line::close);
  }

  /** One device. */
  private final class Line {
    private final BackEndListener listener;
    private final Path backEnd;
    private final DescriptorLedger ledger;
    private final List<Recording.Told> setUp = new ArrayList<>();
    private final List<List<Recording.Told>> phases = new ArrayList<>();
    private final Thread thread;
    private long protocolFeatures;
    private volatile @Nullable VhostException failure;

    Line(BackEndListener listener, Path backEnd, DescriptorLedger ledger) {
      this.listener = listener;
      this.backEnd = backEnd;
      this.ledger = ledger;
      this.thread = Thread.ofPlatform().name("recorder").daemon().unstarted(this::passOn);
      thread.start();
    }

    private void passOn() {
      try (BackEndConnection front = listener.accept(Deadline.after(PATIENCE))) {
        if (front == null) {
          throw new VhostException("recording: nobody has connected", Recovery.GIVE_UP);
        }
        try (BackEndConnection back =
            BackEndConnection.connect(backEnd, "recorder", ledger, Deadline.after(PATIENCE))) {
          while (true) {
            passOn(front.receive(Deadline.after(PATIENCE)), front, back);
          }
        }
      } catch (FrontEndGoneException e) {
        // The conversation is over.
      } catch (VhostException e) {
        failure = e;
      }
    }

    private void passOn(Received message, BackEndConnection front, BackEndConnection back) {
      Header header = message.header();
      byte[] bytes = new byte[Header.SIZE + header.size()];
      ByteBuffer.wrap(bytes)
          .order(ByteOrder.nativeOrder())
          .putInt(header.request())
          .putInt(header.flags())
          .putInt(header.size())
          .put(message.payload());
      boolean answered = isAnswered(header, message.payload());
      var told = new Recording.Told(bytes, message.descriptors().size(), answered ? 1 : 0);
      while (phases.size() < phase.get()) {
        phases.add(new ArrayList<>());
      }
      (phases.isEmpty() ? setUp : phases.getLast()).add(told);
      back.writeRaw(bytes, message.descriptors(), Deadline.after(PATIENCE));
      message.descriptors().forEach(OwnedDescriptor::close);
      if (answered) {
        Received answer = back.receive(Deadline.after(PATIENCE));
        front.reply(
            answer.header().request(),
            answer.header().flags(),
            answer.payload(),
            List.of(),
            Deadline.after(PATIENCE));
      }
    }

    private boolean isAnswered(Header header, byte[] payload) {
      FrontEndRequest request = dialect.requestOf(header.request()).orElseThrow();
      if (request == FrontEndRequest.SET_PROTOCOL_FEATURES) {
        protocolFeatures = ByteBuffer.wrap(payload).order(ByteOrder.nativeOrder()).getLong();
      }
      return header.needsReply() || request.explicitReply(protocolFeatures).isPresent();
    }

    private Recording.Talk finish() {
      try {
        if (!thread.join(PATIENCE)) {
          throw new VhostException("recording: the front end does not close", Recovery.GIVE_UP);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new VhostException("recording: interrupted", Recovery.GIVE_UP, e);
      }
      VhostException thrown = failure;
      if (thrown != null) {
        throw thrown;
      }
      return new Recording.Talk(setUp, phases);
    }

    private void close() {
      listener.close();
    }
  }
}
