package io.github.jvhost.migration;

import io.github.jvhost.Recovery;
import io.github.jvhost.vhost.VhostNet;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Lets the guest go on here, with the devices that can be started again. */
final class ResumeAtSource {
  private ResumeAtSource() {}

  /**
   * Starts the devices again, then resumes the guest. For a source whose migration failed before
   * everything was handed over.
   *
   * @param cause why the migration failed
   * @param paused the VM, if its guest has to be resumed
   * @return what the caller of the migration is thrown
   */
  static MigrationException after(
      Throwable cause, List<VhostNet> devices, @Nullable VmControl paused) {
    String why = MigrationException.reason(cause);
    List<String> down = new ArrayList<>();
    for (VhostNet device : devices) {
      try {
        device.migration().runOn();
      } catch (Throwable e) { // the next devices and the guest are started anyway
        down.add(MigrationException.reason(e));
      }
    }
    if (paused != null) {
      try {
        paused.resume();
      } catch (Throwable e) {
        cause.addSuppressed(e);
        return new MigrationException(
            "%s; nothing was handed over, and the guest could not be resumed on the source: %s"
                .formatted(why, MigrationException.reason(e)),
            Recovery.GIVE_UP,
            cause);
      }
    }
    return down.isEmpty()
        ? new MigrationException(why + "; the guest runs on, on the source", Recovery.RETRY, cause)
        : new MigrationException(
            "%s; the guest runs on, on the source, but not all of its devices: %s"
                .formatted(why, String.join("; ", down)),
            Recovery.RECONNECT,
            cause);
  }
}
