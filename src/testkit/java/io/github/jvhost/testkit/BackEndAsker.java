package io.github.jvhost.testkit;

import io.github.jvhost.Bytes;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.BackEndRequester;
import io.github.jvhost.channel.backend.BackEndRequester.BackEndAnswer;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * The back end's own channel (SET_BACKEND_REQ_FD) of one connection: it sends requests in order,
 * one at a time. A thread of its own does this, so that the back end serves messages while it waits
 * for an answer.
 *
 * <p>Thread-safe.
 */
final class BackEndAsker implements AutoCloseable {
  private static final Duration SLICE = Duration.ofMillis(20);
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final BackEndRequester channel;
  private final int number;
  private final BackEndRecord record;
  private final LinkedBlockingQueue<Job> jobs = new LinkedBlockingQueue<>();
  private final Thread thread;
  private volatile boolean closing;
  private int unread;

  /**
   * Bytes that are sent {@code times} times. If {@code awaited}, the thread then waits for the
   * answer to the last.
   */
  private record Job(
      int id,
      Bytes bytes,
      List<OwnedDescriptor> descriptors,
      int times,
      boolean answered,
      boolean awaited,
      CompletableFuture<FrontEndAnswer> answer) {
    void end() {
      descriptors.forEach(OwnedDescriptor::close);
    }
  }

  private BackEndAsker(BackEndRequester channel, int number, BackEndRecord record) {
    this.channel = channel;
    this.number = number;
    this.record = record;
    this.thread =
        Thread.ofPlatform().name("mock back end asks, " + number).daemon().unstarted(this::run);
  }

  /**
   * Starts the thread.
   *
   * @param channel the socket that the front end sent; this object owns it from now on
   * @param number the connection's number, for the record
   */
  static BackEndAsker start(BackEndRequester channel, int number, BackEndRecord record) {
    BackEndAsker asker = new BackEndAsker(channel, number, record);
    asker.thread.start();
    return asker;
  }

  /** Sends one request. The descriptors stay the caller's. */
  CompletableFuture<FrontEndAnswer> ask(
      BackEndRequest request,
      Payload payload,
      List<OwnedDescriptor> descriptors,
      boolean needReply) {
    boolean answered = needReply || request.alwaysAnswered();
    byte[] bytes = message(request.id(), flags(needReply), BackEndAnswers.encode(payload));
    return queue(request.id(), bytes, descriptors, 1, answered, answered);
  }

  /** Sends a request and ignores its result. */
  void tell(BackEndRequest request, Payload payload) {
    var _ = ask(request, payload, List.of(), false);
  }

  /**
   * Sends a request with any number, flags and payload. Waits for an answer if the flags ask for
   * one.
   */
  CompletableFuture<FrontEndAnswer> ask(
      int id, int flags, byte[] payload, List<OwnedDescriptor> descriptors) {
    boolean answered = (flags & Header.NEED_REPLY) != 0;
    return queue(id, message(id, flags, payload), descriptors, 1, answered, answered);
  }

  /** Sends a request many times, asks for answers, and reads none of them. */
  CompletableFuture<FrontEndAnswer> flood(BackEndRequest request, Payload payload, int times) {
    byte[] bytes = message(request.id(), flags(true), BackEndAnswers.encode(payload));
    return queue(request.id(), bytes, List.of(), times, true, false);
  }

  private static int flags(boolean needReply) {
    return needReply ? Header.VERSION | Header.NEED_REPLY : Header.VERSION;
  }

  private static byte[] message(int id, int flags, byte[] payload) {
    byte[] whole = new byte[Header.SIZE + payload.length];
    ByteBuf out = Unpooled.wrappedBuffer(whole).clear();
    Header.encode(out, id, flags, payload.length);
    out.writeBytes(payload);
    return whole;
  }

  private CompletableFuture<FrontEndAnswer> queue(
      int id,
      byte[] bytes,
      List<OwnedDescriptor> descriptors,
      int times,
      boolean answered,
      boolean awaited) {
    CompletableFuture<FrontEndAnswer> answer = new CompletableFuture<>();
    List<OwnedDescriptor> own = descriptors.stream().map(OwnedDescriptor::duplicate).toList();
    Job job = new Job(id, Bytes.copyOf(bytes), own, times, answered, awaited, answer);
    synchronized (jobs) {
      if (closing) {
        fail(job, over());
      } else {
        jobs.add(job);
      }
    }
    return answer;
  }

  private void run() {
    try (channel) {
      VhostException why = null;
      while (why == null) {
        Job job = jobs.take();
        why = job.times == 0 ? over() : handle(job);
      }
      end(why);
    } catch (InterruptedException e) {
      end(over());
    }
  }

  /** Does one job. Returns why the channel has ended, or null while it goes on. */
  private @Nullable VhostException handle(Job job) {
    try {
      for (int i = 0; i < job.times; i++) {
        write(job);
      }
      FrontEndAnswer answer = new FrontEndAnswer(0, List.of());
      if (job.awaited) {
        while (unread > 0) {
          read().descriptors().forEach(OwnedDescriptor::close);
          unread--;
        }
        answer = answerTo(job, read());
      } else if (job.answered) {
        unread += job.times;
      }
      record.asked(
          new RecordedAsk(System.nanoTime(), number, job.id, job.awaited ? answer.result() : null));
      job.end();
      if (!job.answer.complete(answer)) {
        answer.close();
      }
      return null;
    } catch (VhostException e) {
      record.note("asking the front end: " + e.getMessage());
      fail(job, e);
      return e;
    }
  }

  private void write(Job job) {
    Deadline deadline = Deadline.after(PATIENCE);
    while (true) {
      try {
        // A message is small: the socket takes all of it or, when it is full, nothing.
        channel.writeRaw(job.bytes.toArray(), job.descriptors, Deadline.after(SLICE));
        return;
      } catch (DeadlineException e) {
        giveUpAfter(deadline, e);
      }
    }
  }

  private BackEndAnswer read() {
    Deadline deadline = Deadline.after(PATIENCE);
    while (true) {
      try {
        return channel.awaitAnswer(Deadline.after(SLICE));
      } catch (DeadlineException e) {
        giveUpAfter(deadline, e);
      }
    }
  }

  private void giveUpAfter(Deadline deadline, DeadlineException why) {
    if (closing) {
      throw over();
    }
    if (deadline.expired()) {
      throw why;
    }
  }

  private static FrontEndAnswer answerTo(Job job, BackEndAnswer answer) {
    if (answer.request() == job.id) {
      return new FrontEndAnswer(answer.result(), answer.descriptors());
    }
    answer.descriptors().forEach(OwnedDescriptor::close);
    throw new VhostException(
        "request " + job.id + " was answered as request " + answer.request(), Recovery.RECONNECT);
  }

  private static VhostException over() {
    return new VhostException("the back end's channel is closed", Recovery.RECONNECT);
  }

  private static void fail(Job job, VhostException why) {
    job.end();
    job.answer.completeExceptionally(why);
  }

  private void end(VhostException why) {
    synchronized (jobs) {
      closing = true;
      jobs.forEach(job -> fail(job, why));
      jobs.clear();
    }
  }

  /** Closes the socket behind the requests that were asked for. Does not wait. */
  void endSoon() {
    // A job with zero repetitions ends the thread.
    jobs.add(new Job(0, Bytes.EMPTY, List.of(), 0, false, false, new CompletableFuture<>()));
  }

  /** Fails the requests that have no answer yet, closes the socket, and waits for the thread. */
  @Override
  public void close() {
    closing = true;
    endSoon();
    try {
      if (!thread.join(PATIENCE)) {
        record.note("the thread of the back end's channel did not end within " + PATIENCE);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
