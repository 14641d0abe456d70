package io.github.jvhost.mediate;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.time.Duration;
import java.util.Objects;

/**
 * One NIC that is mediated. Immutable, except for what the addresses refer to.
 *
 * @param name unique within the mediator; the same on both hosts of a migration; at most 64 of
 *     letters, digits, dots, hyphens and underscores
 * @param frontEnd where QEMU, or another front end, is
 * @param theSwitch where the back end is that serves the NIC
 * @param dialect the message numbers that the switch uses
 * @param profile what is known of the switch beyond the wire
 * @param ram where guest memory is found before the front end sends it
 * @param answersWithin how long the switch may take for an answer, unless it may have to map memory
 * @param presetupWithin how long a presetup may take, while the guest runs, or a start
 */
public record NicOptions(
    String name,
    FrontEndAddress frontEnd,
    BackEndAddress theSwitch,
    Dialect dialect,
    BackEndProfile profile,
    GuestRamPlace ram,
    Duration answersWithin,
    Duration presetupWithin) {
  private static final String NAMES = "[A-Za-z0-9._-]{1,64}";

  /** Checks the name and the bounds. */
  public NicOptions {
    Objects.requireNonNull(frontEnd, "frontEnd");
    Objects.requireNonNull(theSwitch, "theSwitch");
    requireName(name);
    if (!answersWithin.isPositive() || !presetupWithin.isPositive()) {
      throw new IllegalArgumentException(name + ": every bound is positive");
    }
  }

  /**
   * {@return the same with another dialect}
   *
   * @param other the message numbers that the switch uses
   */
  public NicOptions withDialect(Dialect other) {
    return new NicOptions(
        name, frontEnd, theSwitch, other, profile, ram, answersWithin, presetupWithin);
  }

  /**
   * {@return the same with another place of guest memory}
   *
   * @param place where it is found before the front end sends it
   */
  public NicOptions withRam(GuestRamPlace place) {
    return new NicOptions(
        name, frontEnd, theSwitch, dialect, profile, place, answersWithin, presetupWithin);
  }

  NicOptions withFrontEnd(FrontEndAddress other) {
    return new NicOptions(
        name, other, theSwitch, dialect, profile, ram, answersWithin, presetupWithin);
  }

  static void requireName(String name) {
    if (!name.matches(NAMES)) {
      throw new IllegalArgumentException(
          "a NIC is named with 1 to 64 letters, digits, dots, hyphens and underscores, not \"%s\""
              .formatted(name));
    }
  }

  /**
   * {@return options with the usual bounds: 10 s for an answer, 60 s for a presetup}
   *
   * @param name unique within the mediator
   * @param frontEnd where the front end is
   * @param theSwitch where the back end is
   * @param profile what is known of the switch beyond the wire
   */
  public static NicOptions of(
      String name, FrontEndAddress frontEnd, BackEndAddress theSwitch, BackEndProfile profile) {
    return new NicOptions(
        name,
        frontEnd,
        theSwitch,
        Dialect.UPSTREAM,
        profile,
        new GuestRamPlace.FrontEnd(),
        Duration.ofSeconds(10),
        Duration.ofSeconds(60));
  }
}
