package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.Connector;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;

/** Asks a mediator that runs in another process. */
public final class ControlClient {
  /** 512 rings of 64 NICs, each with five steps, are less. */
  private static final int LONGEST_ANSWER = 32 << 20;

  private ControlClient() {}

  /**
   * Asks one question.
   *
   * @param control the mediator's control socket
   * @param request one line, as docs/mediate.md has them
   * @param within the most time for the answer
   * @param ledger records the connection
   * @return the answer: one JSON object
   * @throws VhostException (RETRY) if no mediator is there; (GIVE_UP) if it answers nothing
   */
  public static String ask(Path control, String request, Duration within, DescriptorLedger ledger) {
    if (request.indexOf('\n') >= 0) {
      throw new VhostException("a request to a mediator is one line", Recovery.GIVE_UP);
    }
    Deadline deadline = Deadline.after(within);
    String name = "mediator " + control;
    var socket = Connector.connect(control, name, "mediator", deadline);
    try (var lines = new LineStream(new SocketStream(socket, name, ledger), name, LONGEST_ANSWER)) {
      lines.send((request + "\n").getBytes(StandardCharsets.UTF_8), deadline);
      String answer = lines.receive(deadline);
      if (answer == null) {
        throw new VhostException(
            name + " hung up without an answer; it is ending, or serves only its own user and root",
            Recovery.GIVE_UP);
      }
      return answer;
    }
  }
}
