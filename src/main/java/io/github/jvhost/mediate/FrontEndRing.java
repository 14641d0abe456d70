package io.github.jvhost.mediate;

import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.RingEventfd;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** One vring of a {@link FrontEndDevice}, as far as it was described. One thread at a time. */
final class FrontEndRing {

  @Nullable Integer size;
  @Nullable VringAddress address;
  @Nullable Integer base;
  @Nullable RingEventfd kick;
  @Nullable RingEventfd call;
  @Nullable RingEventfd err;
  @Nullable Boolean enabled;

  @Nullable Integer size() {
    return size;
  }

  @Nullable VringAddress address() {
    return address;
  }

  @Nullable Integer base() {
    return base;
  }

  @Nullable RingEventfd kick() {
    return kick;
  }

  @Nullable RingEventfd call() {
    return call;
  }

  @Nullable RingEventfd err() {
    return err;
  }

  @Nullable Boolean enabled() {
    return enabled;
  }

  /** {@return this ring, for a mediator that takes over} */
  SavedNic.Ring saved(NicSaver saver) {
    VringAddress at = address;
    return new SavedNic.Ring(
        size == null ? -1 : size,
        at == null ? -1 : at.flags(),
        at == null ? 0 : at.descriptor(),
        at == null ? 0 : at.used(),
        at == null ? 0 : at.available(),
        at == null ? 0 : at.log(),
        base != null,
        base == null ? 0 : base,
        saved(kick, saver),
        saved(call, saver),
        saved(err, saver),
        enabled == null ? -1 : enabled ? 1 : 0);
  }

  private static SavedNic.Signal saved(@Nullable RingEventfd eventfd, NicSaver saver) {
    return switch (eventfd) {
      case null -> SavedNic.Signal.NONE;
      case RingEventfd.NoFd _ -> new SavedNic.Signal(true, "");
      case RingEventfd.Fd(OwnedDescriptor descriptor) ->
          new SavedNic.Signal(true, saver.name(descriptor));
    };
  }

  /**
   * Takes up what an earlier mediator has saved.
   *
   * @param index of this ring
   * @param files gives the file of a name, which is then owned here
   */
  void restore(int index, SavedNic.Ring saved, Function<String, OwnedDescriptor> files) {
    size = saved.size() < 0 ? null : Integer.valueOf(saved.size());
    if (saved.flags() >= 0) {
      address =
          new VringAddress(
              index,
              saved.flags(),
              saved.descriptor(),
              saved.used(),
              saved.available(),
              saved.log());
    }
    base = saved.hasBase() ? Integer.valueOf(saved.base()) : null;
    kick = restored(saved.kick(), files);
    call = restored(saved.call(), files);
    err = restored(saved.err(), files);
    enabled = saved.enabled() < 0 ? null : Boolean.valueOf(saved.enabled() == 1);
  }

  private static @Nullable RingEventfd restored(
      SavedNic.Signal saved, Function<String, OwnedDescriptor> files) {
    if (!saved.described()) {
      return null;
    }
    return saved.file().isEmpty()
        ? new RingEventfd.NoFd()
        : new RingEventfd.Fd(files.apply(saved.file()));
  }
}
