package io.github.jvhost.realbackend;

import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.mediate.peer.PeerAddress;
import io.github.jvhost.mediate.peer.PeerLink;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Stands between two mediators, and changes what one tells the other about a guest.
 *
 * <pre>
 *   mediator --connects--&gt; HintForger &lt;--connects-- mediator
 * </pre>
 */
final class HintForger implements AutoCloseable {
  private final List<PeerLink> links;
  private volatile UnaryOperator<Hint.Content> forgery = UnaryOperator.identity();

  /** Listens at two paths. */
  HintForger(String one, String other) {
    // Nobody knows the paths before both links are there.
    PeerLink[] both = new PeerLink[2];
    both[0] = PeerLink.open(PeerAddress.parse("listen:" + one), to(both, 1)).begin();
    both[1] = PeerLink.open(PeerAddress.parse("listen:" + other), to(both, 0)).begin();
    links = List.of(both);
  }

  private PeerLink.Listener to(PeerLink[] both, int index) {
    return new PeerLink.Listener() {
      @Override
      public void connected() {}

      @Override
      public void received(Hint hint) {
        both[index].publish(forged(hint));
      }

      @Override
      public void lost(String reason) {}
    };
  }

  private Hint forged(Hint hint) {
    Hint.Content content = hint.content();
    return content == null
        ? hint
        : Hint.configuration(hint.nic(), hint.generation(), forgery.apply(content));
  }

  /** Changes configurations from now on. */
  void forge(UnaryOperator<Hint.Content> how) {
    forgery = how;
  }

  @Override
  public void close() {
    links.forEach(PeerLink::close);
  }
}
