import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/**
 * Says under which licences the libraries are that the jar needs, from the bill of materials that
 * the build made (CycloneDX, as XML). Ends with 1 where one has no licence, or only such as the
 * project has not decided to live with.
 *
 * <p>Usage: {@code java build/Licences.java SBOM.xml REPORT.txt}
 */
final class Licences {
  /** SPDX names. Of several licences of one library one is enough: they are a choice. */
  private static final Set<String> ACCEPTED =
      Set.of("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "MIT");

  public static void main(String[] args) throws Exception {
    Path bill = Path.of(args[0]);
    if (!Files.exists(bill)) {
      System.err.println(
          "no bill of materials: "
              + bill
              + " is not there. Is Maven offline (-o)? Then it skips CycloneDX's plugin, which"
              + " makes this file. Run it without -o.");
      System.exit(1);
    }
    var report = new TreeMap<String, List<String>>();
    var wrong = new ArrayList<String>();
    Element root =
        DocumentBuilderFactory.newDefaultInstance()
            .newDocumentBuilder()
            .parse(bill.toFile())
            .getDocumentElement();
    for (Element components : children(root, "components")) {
      for (Element component : children(components, "component")) {
        String name =
            text(component, "group")
                + ":"
                + text(component, "name")
                + ":"
                + text(component, "version");
        var licences = licences(component);
        if (licences.stream().noneMatch(ACCEPTED::contains)) {
          wrong.add(name + ": " + licences);
        }
        report
            .computeIfAbsent(String.join(" or ", licences), _ -> new ArrayList<>())
            .add("  " + name + (text(component, "scope").equals("optional") ? " (optional)" : ""));
      }
    }
    if (!wrong.isEmpty() || report.isEmpty()) {
      wrong.forEach(w -> System.err.println("no licence that was agreed to: " + w));
      System.err.println(args[0] + ": " + report.size() + " licences, see build/Licences.java");
      System.exit(1);
    }
    var lines = new ArrayList<String>();
    lines.add("Libraries that jvhost needs at run time, by licence. jvhost itself: Apache-2.0.");
    report.forEach((licence, names) -> {
      lines.add("");
      lines.add(licence);
      names.stream().sorted().forEach(lines::add);
    });
    Files.write(Path.of(args[1]), lines);
  }

  private static Set<String> licences(Element component) {
    var names = new TreeSet<String>();
    for (Element licences : children(component, "licenses")) {
      for (Element licence : children(licences, "license")) {
        String id = text(licence, "id");
        names.add(id.isEmpty() ? text(licence, "name") : id);
      }
      for (Element expression : children(licences, "expression")) {
        names.add(expression.getTextContent().strip());
      }
    }
    return names;
  }

  private static String text(Element parent, String name) {
    return children(parent, name).stream()
        .map(e -> e.getTextContent().strip())
        .findFirst()
        .orElse("");
  }

  private static List<Element> children(Element parent, String name) {
    var found = new ArrayList<Element>();
    for (Node n = parent.getFirstChild(); n != null; n = n.getNextSibling()) {
      if (n instanceof Element e && e.getTagName().equals(name)) {
        found.add(e);
      }
    }
    return found;
  }
}
