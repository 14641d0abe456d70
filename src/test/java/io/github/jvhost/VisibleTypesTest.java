package io.github.jvhost;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import io.github.jvhost.testkit.MockBackEnd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The two modules show what an embedder or a test author uses, and nothing else: what a document
 * tells of, what the signatures of that name, and so on.
 */
class VisibleTypesTest {
  private static final Pattern EXPORT = Pattern.compile("exports ([\\w.]+);");

  /** A block of code, or a piece of it within a line. */
  private static final Pattern CODE = Pattern.compile("(?s)```.*?```|`[^`\\n]+`");

  /** Where embedders and test authors read. */
  private static final List<String> DOCUMENTS =
      List.of("embedding", "migration", "presetup", "observability", "vmstate", "testing");

  /**
   * Types of the library that nothing leads to from the documents and from the testkit, and why
   * they are visible all the same. The test also fails for a row that is not needed any more.
   */
  private static final Map<String, String> OTHERS =
      Map.ofEntries(
          Map.entry("protocol.Header", "the channel reads it, a test writes wrong ones"),
          Map.entry("protocol.VhostFeature", "bits of what a mock back end offers"),
          Map.entry("virtio.DeviceStatus", "bits of VirtioNet.setStatus"),
          Map.entry("virtio.PciCapabilities", "for a register file of the VMM's own, and vmstate"),
          Map.entry("vhost.NetPlanning", "the preview of plans calls it"),
          Map.entry("vhost.VhostDevice", "for whoever has another device than VirtioNet"),
          Map.entry("vhost.plan.Carrier", "another carrier than vhost-user implements it"),
          Map.entry("vhost.plan.Execution", "another carrier than vhost-user implements it"),
          Map.entry("vhost.plan.PreparedPlan", "another carrier than vhost-user may use it"),
          Map.entry("mediate.ControlClient", "only the command mediates"),
          Map.entry("mediate.FrontEndAddress", "only the command mediates"),
          Map.entry("mediate.GuestRamPlace", "only the command mediates"),
          Map.entry("mediate.Mediator", "only the command mediates"),
          Map.entry("mediate.MediatorOptions", "only the command mediates"),
          Map.entry("mediate.MoveResult", "only the command mediates"),
          Map.entry("mediate.NicOptions", "only the command mediates"),
          Map.entry("mediate.PassedDevice", "only the command mediates"),
          Map.entry("mediate.SwitchSockets", "only the command mediates"),
          Map.entry("vhost.plan.InflightPositions", "a mediator finds packed rings by it"),
          Map.entry("vhost.plan.MissHandler", "a carrier is given one"),
          Map.entry("vhost.plan.PackedFlags", "a mediator finds packed rings by it"),
          Map.entry("vhost.plan.Planner", "for whoever plans without a device: tools, a mediator"),
          Map.entry("vhost.plan.StoppedRings", "a carrier is given one"),
          Map.entry("vmstate.NetSectionName", "only the command calls it"),
          Map.entry("vmstate.SavedField", "only the command shows it"),
          Map.entry("vmstate.StateDifference", "only the command shows it"));

  /** Types of the testkit that name what only the testkit sees: the command's own. */
  private static final Set<String> NAME_THE_RELAY =
      Set.of("CaptureQueue", "CapturedMessage", "RelayCounts");

  private static Map<String, JavaClass> library;
  private static Map<String, JavaClass> testkit;

  @BeforeAll
  static void readTheClassFiles() throws IOException {
    library = visible(VhostException.class, Path.of("src/main/java/module-info.java"));
    testkit = visible(MockBackEnd.class, Path.of("src/testkit/module/module-info.java"));
  }

  /** The types that everybody can name, nested ones too. */
  private static Map<String, JavaClass> visible(Class<?> one, Path module) throws IOException {
    Set<String> exported =
        EXPORT
            .matcher(Files.readString(module))
            .results()
            .map(m -> m.group(1))
            .collect(Collectors.toSet());
    var visible = new TreeMap<String, JavaClass>();
    new ClassFileImporter()
        .importUrl(one.getProtectionDomain().getCodeSource().getLocation()).stream()
            .filter(c -> exported.contains(c.getPackageName()) && isPublic(c))
            .filter(c -> !c.getSimpleName().equals("package-info"))
            .forEach(c -> visible.put(c.getName(), c));
    return visible;
  }

  private static boolean isPublic(JavaClass c) {
    return shown(c.getModifiers())
        && c.getEnclosingClass().map(VisibleTypesTest::isPublic).orElse(true);
  }

  private static boolean shown(Set<JavaModifier> modifiers) {
    return modifiers.contains(JavaModifier.PUBLIC) || modifiers.contains(JavaModifier.PROTECTED);
  }

  /** The types of ours that a type's declaration and its visible members name. */
  private static Set<JavaClass> named(JavaClass c) {
    return Stream.of(
            c.getAllInvolvedRawTypes().stream(),
            c.getSuperclass().stream().flatMap(s -> s.getAllInvolvedRawTypes().stream()),
            c.getInterfaces().stream().flatMap(i -> i.getAllInvolvedRawTypes().stream()),
            c.getMembers().stream()
                .filter(m -> shown(m.getModifiers()))
                .filter(m -> !m.getModifiers().contains(JavaModifier.SYNTHETIC))
                .flatMap(m -> m.getAllInvolvedRawTypes().stream()))
        .flatMap(types -> types)
        .map(JavaClass::getBaseComponentType)
        .filter(t -> t.getPackageName().startsWith("io.github.jvhost"))
        .collect(Collectors.toSet());
  }

  @Test
  void aVisibleSignatureNamesVisibleTypes() {
    assertThat(hidden(library.values(), library::containsKey)).isEmpty();
  }

  @Test
  void soDoesTheTestkits() {
    Predicate<String> seen = name -> library.containsKey(name) || testkit.containsKey(name);
    assertThat(hidden(testkit.values(), seen)).isEmpty();
  }

  private static List<String> hidden(Collection<JavaClass> types, Predicate<String> seen) {
    return types.stream()
        .filter(c -> !NAME_THE_RELAY.contains(c.getSimpleName()))
        .flatMap(c ->
            named(c).stream()
                .map(JavaClass::getName)
                .filter(seen.negate())
                .map(name -> c.getName() + " names " + name))
        .toList();
  }

  @Test
  void everyVisibleTypeIsUsedByAnEmbedderOrATestAuthor() throws IOException {
    Set<String> told = told();
    var next = new ArrayDeque<JavaClass>(testkit.values());
    library.values().stream()
        .filter(c -> told.contains(c.getSimpleName()) || c.isAssignableTo(VhostException.class))
        .forEach(next::add);
    var unused = new TreeSet<>(library.keySet());
    var seen = new HashSet<JavaClass>();
    while (!next.isEmpty()) {
      JavaClass c = next.remove();
      boolean visible = library.containsKey(c.getName()) || testkit.containsKey(c.getName());
      if (visible && seen.add(c)) {
        unused.remove(c.getName());
        c.getEnclosingClass().ifPresent(next::add);
        next.addAll(named(c));
        if (c.isInterface()) {
          next.addAll(c.getSubclasses()); // what comes out of a sealed one
        }
      }
    }
    assertThat(unused)
        .filteredOn(name -> !name.contains("$"))
        .map(name -> name.substring("io.github.jvhost.".length()))
        .containsExactlyInAnyOrderElementsOf(OTHERS.keySet());
  }

  /** The words of what the documents show as code. */
  private static Set<String> told() throws IOException {
    var words = new HashSet<String>();
    for (String document : DOCUMENTS) {
      CODE.matcher(Files.readString(Path.of("docs", document + ".md")))
          .results()
          .forEach(code -> words.addAll(List.of(code.group().split("\\W+"))));
    }
    return words;
  }
}
