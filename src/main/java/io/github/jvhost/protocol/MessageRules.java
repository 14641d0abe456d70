package io.github.jvhost.protocol;

/**
 * The rules that depend on the content of a message, so that {@link FrontEndRequest} has no column
 * for them.
 */
final class MessageRules {
  private MessageRules() {}

  /** See {@link FrontEndRequest#requireWellFormed}. The caller has checked the layout. */
  static void requireWellFormed(FrontEndRequest request, Payload message, int descriptors) {
    int least = request.minDescriptors();
    int most = request.maxDescriptors();
    switch (message) {
      case VringDescriptor ring -> least = most = ring.withoutDescriptor() ? 0 : 1;
      case MemoryTablePayload table -> least = most = table.regions().size();
      case VringState ring -> requireNumber(request, ring.num());
      default -> {
        // The columns of the table are enough.
      }
    }
    if (descriptors < least || descriptors > most) {
      throw new IllegalArgumentException(
          request + " with " + descriptors + " descriptors, expected " + least + " to " + most);
    }
  }

  /** See {@link FrontEndRequest#carriesDescriptors}. */
  static boolean carriesDescriptors(FrontEndRequest request, Payload message) {
    return switch (message) {
      case VringDescriptor ring -> !ring.withoutDescriptor();
      default -> request.maxDescriptors() > 0;
    };
  }

  private static void requireNumber(FrontEndRequest request, int number) {
    int most =
        switch (request) {
          case GET_VRING_BASE, GET_VRING_BASE_SKIP_DRAIN, VRING_KICK -> 0;
          case SET_VRING_ENABLE, SET_VRING_ENDIAN -> 1;
          default -> -1; // any
        };
    if (most >= 0 && (number < 0 || number > most)) {
      throw new IllegalArgumentException(
          request + " with the number " + number + ", expected 0" + (most == 0 ? "" : " or 1"));
    }
  }

  /** See {@link FrontEndRequest#requireFittingAnswer}. */
  static void requireFittingAnswer(FrontEndRequest request, Payload answer, int descriptors) {
    int least = 0;
    int most = request.maxReplyDescriptors();
    switch (request) {
      case POSTCOPY_ADVISE -> least = 1;
      case GET_INFLIGHT_FD -> least = answer instanceof Inflight i && i.mmapSize() != 0 ? 1 : 0;
      case SET_DEVICE_STATE_FD -> {
        long result = answer instanceof U64(long value) ? value : 0;
        if ((result & DeviceStateTransfer.NO_DESCRIPTOR) != 0) {
          most = 0;
        } else if ((result & DeviceStateTransfer.ERROR_MASK) == 0) {
          least = 1;
        }
      }
      default -> {
        // The columns of the table are enough.
      }
    }
    if (descriptors < least || descriptors > most) {
      throw new ProtocolException(
          descriptors
              + " descriptors with the reply to "
              + request
              + ", "
              + (descriptors < least ? "at least " + least : "at most " + most));
    }
  }
}
