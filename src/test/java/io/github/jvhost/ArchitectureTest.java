package io.github.jvhost;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaMember;
import com.tngtech.archunit.core.domain.JavaMethodCall;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import io.github.jvhost.bench.Bench;
import io.github.jvhost.cli.Jvhost;
import io.github.jvhost.testkit.MockBackEnd;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import jdk.jfr.Event;
import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Holds what docs/architecture.md says about the rooms of the house, against the class files. */
class ArchitectureTest {
  private static final String ROOT = "io.github.jvhost";

  /** Who may use whom. The root package may be used by all and uses none. */
  private static final Map<String, Set<String>> ROOMS = rooms();

  private static JavaClasses house;

  private static Map<String, Set<String>> rooms() {
    var rooms = new LinkedHashMap<String, Set<String>>();
    rooms.put("sys", Set.of());
    rooms.put("protocol", Set.of());
    rooms.put("channel", Set.of("sys", "protocol"));
    rooms.put("memory", Set.of("sys"));
    rooms.put("virtio", Set.of("sys", "memory"));
    rooms.put("vhost.plan", Set.of("sys", "protocol", "memory", "virtio"));
    rooms.put("vhost.user", Set.of("sys", "protocol", "channel", "memory", "virtio", "vhost.plan"));
    rooms.put("vhost.kernel", Set.of("sys", "protocol", "memory", "virtio", "vhost.plan"));
    rooms.put("vhost", Set.copyOf(rooms.keySet()));
    rooms.put(
        "mediate.peer", Set.of("sys", "protocol", "channel", "memory", "virtio", "vhost.plan"));
    rooms.put("mediate.keep", Set.of("sys", "channel"));
    rooms.put("mediate", Set.copyOf(rooms.keySet()));
    rooms.put("vmstate", Set.of("virtio"));
    rooms.put("migration", Set.copyOf(rooms.keySet()));
    rooms.put("testkit", Set.copyOf(rooms.keySet()));
    rooms.put("bench", Set.copyOf(rooms.keySet()));
    rooms.put("report", Set.of("testkit"));
    rooms.put("cli", Set.copyOf(rooms.keySet()));
    return Map.copyOf(rooms);
  }

  @BeforeAll
  static void readTheClassFiles() {
    // One class of each jar: what was built from each source root. The tests are somewhere else.
    house =
        new ClassFileImporter()
            .importUrls(
                Stream.of(VhostException.class, MockBackEnd.class, Bench.class, Jvhost.class)
                    .map(c -> c.getProtectionDomain().getCodeSource().getLocation())
                    .toList());
    assertThat(classes().map(ArchitectureTest::room).distinct())
        .containsAll(ROOMS.keySet())
        .hasSize(ROOMS.size() + 1);
  }

  /** "" for the root package; a sub-package without a row belongs to the room that it is in. */
  private static String room(JavaClass c) {
    String rest = c.getPackageName().substring(ROOT.length());
    String name = rest.isEmpty() ? "" : rest.substring(1);
    return ROOMS.containsKey(name) ? name : name.split("\\.", -1)[0];
  }

  private static boolean ours(JavaClass c) {
    return c.getPackageName().equals(ROOT) || c.getPackageName().startsWith(ROOT + ".");
  }

  private static Stream<JavaClass> classes() {
    return house.stream();
  }

  private static Stream<JavaClass> in(String room) {
    return classes().filter(c -> room(c).equals(room));
  }

  private static Stream<Dependency> uses(Stream<JavaClass> classes, Predicate<JavaClass> used) {
    return classes
        .flatMap(c -> c.getDirectDependenciesFromSelf().stream())
        .filter(d -> used.test(d.getTargetClass()));
  }

  private static List<String> described(Stream<Dependency> dependencies) {
    return dependencies.map(Dependency::getDescription).sorted().distinct().toList();
  }

  private static Predicate<JavaClass> of(String... packages) {
    return c ->
        Stream.of(packages)
            .anyMatch(p -> c.getPackageName().equals(p) || c.getPackageName().startsWith(p + "."));
  }

  @Test
  void everyPackageBelongsToARoom() {
    assertThat(classes().map(ArchitectureTest::room).filter(r -> !r.isEmpty()).distinct())
        .allMatch(ROOMS::containsKey);
  }

  @Test
  void aRoomUsesOnlyTheRoomsThatItsRowNames() {
    var wrong =
        uses(classes(), ArchitectureTest::ours)
            .filter(d -> {
              String from = room(d.getOriginClass());
              String to = room(d.getTargetClass());
              return !to.isEmpty()
                  && !from.equals(to)
                  && !ROOMS.getOrDefault(from, Set.of()).contains(to);
            });

    assertThat(described(wrong)).isEmpty();
  }

  /** Another carrier is a case in Carriers; a rehearsal has a simulated vhost-user back end. */
  @Test
  void aDeviceKnowsItsBackEndThroughTheCarrierAlone() {
    Predicate<JavaClass> carriers =
        c -> ours(c) && Set.of("vhost.user", "vhost.kernel", "channel").contains(room(c));

    assertThat(
            uses(in("vhost"), carriers)
                .map(d -> d.getOriginClass().getSimpleName())
                .distinct()
                .sorted())
        .containsExactly("Carriers", "FrontEndListener", "RehearsalDevice");
  }

  @Test
  void onlySysCallsForeignFunctions() {
    Predicate<JavaClass> foreign =
        c -> c.isEquivalentTo(Linker.class) || c.isEquivalentTo(FunctionDescriptor.class);
    Predicate<JavaClass> sys = c -> room(c).equals("sys");

    assertThat(described(uses(classes().filter(sys.negate()), foreign))).isEmpty();
  }

  @Test
  void theWireIsPure() {
    var sockets = of("java.net", "java.nio.channels", "java.io", "org.newsclub");
    var threads = of("java.util.concurrent");
    Predicate<JavaClass> thread = c -> c.isAssignableTo(Thread.class);

    assertThat(described(uses(in("protocol"), sockets.or(threads).or(thread)))).isEmpty();
  }

  @Test
  void savedStateKnowsNoSockets() {
    var sockets = of("java.net", "java.nio.channels", "org.newsclub");

    assertThat(described(uses(in("vmstate"), sockets))).isEmpty();
  }

  @Test
  void socketsAreOpenedByTheChannelAndBelow() {
    // The testkit and the command make servers and the migration connection of a demo.
    var above =
        classes().filter(c -> Set.of("memory", "virtio", "vhost", "vmstate").contains(room(c)));

    assertThat(described(uses(above, of("java.net", "org.newsclub")))).isEmpty();
  }

  @Test
  void nothingIsReflective() {
    // JUnit asks its extensions about a parameter in these words.
    Predicate<JavaClass> extension = of(ROOT + ".testkit.junit");
    assertThat(described(uses(classes().filter(extension.negate()), of("java.lang.reflect"))))
        .isEmpty();
    assertThat(
            calls(c ->
                c.getTargetOwner().isEquivalentTo(Class.class)
                    && Stream.of("forName", "getDeclared", "getMethod", "getField")
                        .anyMatch(c.getName()::startsWith)))
        .isEmpty();
  }

  /** The first class of events that is initialized costs the JVM a quarter of a second. */
  @Test
  void eventsAreMadeOnlyWhereTheRecorderIsThere() {
    Predicate<JavaClass> asks =
        c ->
            c.getMethodCallsFromSelf().stream()
                .anyMatch(m ->
                    m.getTargetOwner().isEquivalentTo(FlightRecorder.class)
                        && m.getName().equals("isInitialized"));

    assertThat(
            classes()
                .filter(asks.negate())
                .flatMap(c -> c.getConstructorCallsFromSelf().stream())
                .filter(c -> ours(c.getTargetOwner()))
                .filter(c -> c.getTargetOwner().isAssignableTo(Event.class))
                .map(c -> c.getDescription()))
        .isEmpty();
    assertThat(classes().filter(asks).map(JavaClass::getSimpleName))
        .contains("MessageEvents", "Observation", "PhaseClock");
  }

  @Test
  void nothingSleeps() {
    assertThat(calls(c -> c.getName().equals("sleep"))).isEmpty();
  }

  private static List<String> calls(Predicate<JavaMethodCall> wrong) {
    return classes()
        .flatMap(c -> c.getMethodCallsFromSelf().stream())
        .filter(wrong)
        .map(JavaMethodCall::getDescription)
        .toList();
  }

  @Test
  void onlyTheCommandPicksOptionsAndEndsTheProcess() {
    Predicate<JavaClass> cli = c -> room(c).equals("cli");

    assertThat(described(uses(classes().filter(cli.negate()), of("picocli")))).isEmpty();
    assertThat(
            classes()
                .filter(cli.negate())
                .flatMap(c -> c.getMethodCallsFromSelf().stream())
                .filter(c -> c.getTargetOwner().isEquivalentTo(System.class))
                .filter(c -> c.getName().equals("exit"))
                .map(JavaMethodCall::getDescription))
        .isEmpty();
  }

  @Test
  void staticFieldsHoldNoState() {
    var fields =
        classes()
            .flatMap(c -> c.getFields().stream())
            .filter(f -> f.getModifiers().contains(JavaModifier.STATIC))
            .toList();

    assertThat(
            fields.stream()
                .filter(f -> !f.getModifiers().contains(JavaModifier.FINAL))
                .map(JavaField::getFullName))
        .as("not final")
        .isEmpty();
    assertThat(fields.stream().filter(f -> holdsState(f.getRawType())).map(JavaField::getFullName))
        .as("of a type that is there to be changed")
        .isEmpty();
    assertThat(
            fields.stream()
                .filter(f ->
                    f.getRawType().isAssignableTo(Collection.class)
                        || f.getRawType().isAssignableTo(Map.class))
                .filter(f -> !unmodifiable(f))
                .map(JavaField::getFullName))
        .as("a collection that can be changed")
        .isEmpty();
  }

  private static boolean holdsState(JavaClass type) {
    return type.isAssignableTo(ThreadLocal.class)
        || type.isAssignableTo(StringBuilder.class)
        || of("java.util.concurrent.atomic", "java.util.concurrent.locks").test(type);
  }

  /** Whether the collection in it is one of the JDK's that refuse every change. */
  private static boolean unmodifiable(JavaField field) {
    try {
      var reflected = field.reflect();
      reflected.setAccessible(true);
      String type = String.valueOf(reflected.get(null).getClass().getName());
      return type.startsWith("java.util.ImmutableCollections$")
          || type.startsWith("java.util.Collections$Unmodifiable")
          || type.startsWith("java.util.Collections$Empty");
    } catch (IllegalAccessException e) {
      throw new AssertionError(field.getFullName(), e);
    }
  }

  @Test
  void failuresAreOfOneFamily() {
    assertThat(
            classes()
                .filter(c -> c.isAssignableTo(Throwable.class))
                .filter(c -> c.getModifiers().contains(JavaModifier.PUBLIC))
                .filter(c -> !c.isAssignableTo(VhostException.class))
                .map(JavaClass::getName))
        .isEmpty();
    assertThat(
            classes()
                .filter(c -> c.getModifiers().contains(JavaModifier.PUBLIC))
                .flatMap(c -> c.getMethods().stream())
                .filter(m -> m.getModifiers().contains(JavaModifier.PUBLIC))
                .filter(m -> m.getThrowsClause().containsType(IOException.class))
                .map(m -> m.getFullName()))
        .as("throws a bare IOException")
        .isEmpty();
  }

  /**
   * The payloads of the wire are read from buffers of Netty's, and say so in their package. The
   * sockets below the channel are not exported.
   */
  @Test
  void signaturesNameNoLibraryThatTheCodeStandsOn() {
    Predicate<JavaClass> library = of("io.netty", "org.newsclub", "com.fasterxml", "org.slf4j");
    var visible =
        classes()
            .filter(c -> !Set.of("protocol", "cli", "bench").contains(room(c)))
            .filter(of(ROOT + ".channel.socket").negate())
            .filter(c -> c.getModifiers().contains(JavaModifier.PUBLIC))
            .flatMap(c -> c.getMembers().stream())
            .filter(m ->
                m.getModifiers().contains(JavaModifier.PUBLIC)
                    || m.getModifiers().contains(JavaModifier.PROTECTED));

    assertThat(
            visible
                .filter(m -> m.getAllInvolvedRawTypes().stream().anyMatch(library))
                .map(JavaMember::getFullName))
        .isEmpty();
  }

  @Test
  void everyPackageIsIntroducedAndNullMarked() {
    var unmarked =
        classes()
            .map(JavaClass::getPackage)
            .distinct()
            .filter(p ->
                p.tryGetPackageInfo().map(i -> !i.isAnnotatedWith(NullMarked.class)).orElse(true))
            .map(p -> p.getName())
            .sorted()
            .collect(joining(", "));

    assertThat(unmarked).isEmpty();
  }
}
