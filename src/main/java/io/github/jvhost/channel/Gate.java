package io.github.jvhost.channel;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import java.util.OptionalInt;

/**
 * Decides what may be sent on a connection. A back end that does not know a request, or did not
 * negotiate it, may answer it without being asked or hang up.
 */
final class Gate {
  private Gate() {}

  /**
   * Returns the number of a request that may be sent.
   *
   * @param protocolFeatures those that were acknowledged
   * @param features of GET_FEATURES, those that were acknowledged
   * @throws VhostException (GIVE_UP) naming what is missing
   */
  static int requireOpen(
      String name,
      Dialect dialect,
      long protocolFeatures,
      long features,
      FrontEndRequest request,
      boolean needReply) {
    OptionalInt id = dialect.idOf(request);
    if (id.isEmpty()) {
      throw refused(name, request, "the dialect " + dialect.name() + " does not have it");
    }
    long missing = dialect.gateOf(request) & ~protocolFeatures;
    if (missing != 0) {
      throw refused(
          name, request, "protocol feature " + dialect.describe(missing) + " is not negotiated");
    }
    if ((request.featureMask() & ~features) != 0) {
      throw refused(name, request, "feature ACCESS_PLATFORM (bit 33) is not acknowledged");
    }
    if (ProtocolFeature.XEN_MMAP.isIn(protocolFeatures) && carriesRegions(request)) {
      throw refused(
          name, request, "XEN_MMAP is negotiated, and its memory regions are not supported");
    }
    if (ProtocolFeature.CONFIGURE_MEM_SLOTS.isIn(protocolFeatures) && isPostcopy(request)) {
      // vhost-user, "Migration": it MUST NOT be sent, and what a back end does with it is
      // undefined.
      throw refused(
          name, request, "postcopy is not possible with CONFIGURE_MEM_SLOTS, which is negotiated");
    }
    if (needReply && !ProtocolFeature.REPLY_ACK.isIn(protocolFeatures)) {
      throw refused(
          name,
          request,
          "an acknowledgement needs protocol feature REPLY_ACK, which is not negotiated");
    }
    return id.getAsInt();
  }

  /**
   * Whether a request of the back end may be handled: the dialect has it, and its features are
   * negotiated.
   */
  static boolean isOpen(
      Dialect dialect, long protocolFeatures, long features, BackEndRequest request) {
    long gate = request.gateMask();
    return (gate & dialect.maskedProtocolFeatures()) == 0
        && (gate & ~protocolFeatures) == 0
        && (request.featureMask() & ~features) == 0;
  }

  private static boolean carriesRegions(FrontEndRequest request) {
    return switch (request) {
      case SET_MEM_TABLE, ADD_MEM_REG, REM_MEM_REG -> true;
      default -> false;
    };
  }

  private static boolean isPostcopy(FrontEndRequest request) {
    return switch (request) {
      case POSTCOPY_ADVISE, POSTCOPY_LISTEN, POSTCOPY_END -> true;
      default -> false;
    };
  }

  private static VhostException refused(String name, FrontEndRequest request, String why) {
    return new VhostException(name + ": " + request + " cannot be sent: " + why, Recovery.GIVE_UP);
  }
}
