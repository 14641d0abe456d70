package io.github.jvhost.cli;

import io.github.jvhost.mediate.FrontEndAddress;
import io.github.jvhost.mediate.PassedDevice;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/**
 * A value of {@code --nic}.
 *
 * <pre>
 *   net0=/run/mediate/net0,/run/vhost0        QEMU connects; the switch listens
 *   net0=connect:/run/qemu0,listen:/run/sw0   QEMU listens; the switch connects
 *   net0=fd:net0,/run/vhost0                  QEMU connects, to a socket of systemd's
 *   blk0=/run/mediate/blk0,/run/blk0,pass     QEMU connects; messages are passed on
 * </pre>
 *
 * @param name of the NIC
 * @param frontEnd where the front end is
 * @param frontEndPath of its socket; null: it is known by its name only
 * @param theSwitch a path, or "listen:" and a path
 * @param pass whether messages are passed on as they are
 */
record NicWords(
    String name,
    FrontEndAddress frontEnd,
    @Nullable Path frontEndPath,
    String theSwitch,
    boolean pass) {
  private static final String CONNECT = "connect:";
  private static final String LISTEN = "listen:";
  private static final String HANDED = "fd:";
  private static final String NAMES = "[A-Za-z0-9._-]{1,64}";

  /**
   * Reads a value.
   *
   * @throws ParameterException when it is none
   */
  static NicWords parse(CommandSpec spec, String text) {
    int equals = text.indexOf('=');
    String name = equals < 0 ? "" : text.substring(0, equals);
    if (!isName(name)) {
      throw usage(
          spec,
          ("--nic: NAME=FRONT-END,SWITCH belongs here, and '%s' has no name of 1 to 64 letters,"
                  + " digits, dots, hyphens and underscores")
              .formatted(text));
    }
    List<String> parts = List.of(text.substring(equals + 1).split(",", -1));
    boolean pass = parts.size() == 3 && parts.get(2).equals("pass");
    if (parts.size() != 2 && !pass) {
      throw usage(
          spec,
          "--nic %s: two sockets belong here, and perhaps pass: FRONT-END,SWITCH[,pass]"
              .formatted(name));
    }
    String front = parts.getFirst();
    String theSwitch = parts.get(1);
    boolean connects = front.startsWith(CONNECT);
    boolean handed = front.startsWith(HANDED);
    boolean switchConnects = theSwitch.startsWith(LISTEN);
    if (pass && (connects || handed || switchConnects)) {
      throw usage(
          spec,
          "--nic %s: with pass, QEMU connects and the back end listens: PATH,PATH,pass"
              .formatted(name));
    }
    Path switchPath =
        path(spec, name, switchConnects ? theSwitch.substring(LISTEN.length()) : theSwitch);
    String where = (switchConnects ? LISTEN : "") + switchPath;
    if (handed) {
      String socket = front.substring(HANDED.length());
      return new NicWords(name, new FrontEndAddress.Handed(socket), null, where, false);
    }
    Path path = path(spec, name, connects ? front.substring(CONNECT.length()) : front);
    FrontEndAddress frontEnd =
        connects ? new FrontEndAddress.Connect(path) : new FrontEndAddress.Listen(path);
    return new NicWords(name, frontEnd, path, where, pass);
  }

  /** Whether a NIC can be named so. */
  static boolean isName(String text) {
    return text.matches(NAMES);
  }

  private static Path path(CommandSpec spec, String name, String text) {
    if (text.isEmpty()) {
      throw usage(spec, "--nic %s: a socket's path is missing".formatted(name));
    }
    try {
      Path path = Path.of(text);
      Words.requireSocketPath(spec, "--nic " + name, path);
      return path;
    } catch (InvalidPathException e) {
      throw usage(spec, "--nic %s: this is no path: %s".formatted(name, e.getReason()));
    }
  }

  private static ParameterException usage(CommandSpec spec, String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  /** Returns a device whose messages are passed on; only if {@link #pass}. */
  PassedDevice passed() {
    return new PassedDevice(name, Objects.requireNonNull(frontEndPath), switchPath());
  }

  Path switchPath() {
    return Path.of(theSwitch.startsWith(LISTEN) ? theSwitch.substring(LISTEN.length()) : theSwitch);
  }
}
