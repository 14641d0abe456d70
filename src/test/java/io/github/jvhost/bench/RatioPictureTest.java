package io.github.jvhost.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** The picture of a benchmark's rows. */
class RatioPictureTest {
  private static final List<BenchRow> ROWS =
      List.of(
          timed("one <held> & fine", new Goal.Within(1.3, true), new Times(11, 120), 10),
          timed("one missed", new Goal.Within(1.3, false), new Times(5_000, 9_000), 10),
          timed("one far shorter", new Goal.Shorter(300), new Times(10, 10), 1_000_000),
          new BenchRow(
              "a count", new Goal.NoMore(0, "threads"), new Measured.Counted(0, "threads", "")),
          new BenchRow("not there", new Goal.Flat(1.25), new Measured.Not("no gcc")),
          new BenchRow("told", new Goal.Known(), new Measured.Found("3 KiB")));

  private static BenchRow timed(String name, Goal goal, Times ours, long reference) {
    return new BenchRow(name, goal, new Measured.Timed(ours, new Times(reference, reference), ""));
  }

  private static Document parsed(String svg) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new InputSource(new StringReader(svg)));
  }

  private static List<Element> all(Document document, String name) {
    NodeList found = document.getElementsByTagName(name);
    List<Element> elements = new ArrayList<>();
    for (int i = 0; i < found.getLength(); i++) {
      elements.add((Element) found.item(i));
    }
    return elements;
  }

  @Test
  void everyRowIsNamedAndSaysWhatCameOfIt() throws Exception {
    Document picture = parsed(RatioPicture.of(ROWS));

    List<String> texts = all(picture, "text").stream().map(Element::getTextContent).toList();

    assertThat(texts).containsAll(ROWS.stream().map(BenchRow::name).toList());
    assertThat(texts)
        .contains(
            "1.10 times, goal <= 1.30 times, p50 and p99: missed",
            "100000.00 times shorter, goal >= 300 times shorter: holds",
            "not measured: no gcc");
  }

  @Test
  void everythingLiesWithinThePage() throws Exception {
    Document picture = parsed(RatioPicture.of(ROWS));
    double width = Double.parseDouble(picture.getDocumentElement().getAttribute("width"));

    List<Element> bars = all(picture, "rect").stream().filter(r -> r.hasAttribute("x")).toList();

    assertThat(bars)
        .hasSize(3)
        .allSatisfy(bar -> {
          double x = Double.parseDouble(bar.getAttribute("x"));
          double barWidth = Double.parseDouble(bar.getAttribute("width"));
          assertThat(x).isNotNegative();
          assertThat(x + barWidth).isLessThanOrEqualTo(width);
        });
  }

  @Test
  void aBarGrowsWithTheRatioOnALogarithmicScale() throws Exception {
    Document picture =
        parsed(
            RatioPicture.of(
                List.of(
                    timed("ten", new Goal.Within(1, false), new Times(100, 100), 10),
                    timed("hundred", new Goal.Within(1, false), new Times(1_000, 1_000), 10))));

    List<Double> widths =
        all(picture, "rect").stream()
            .filter(r -> r.hasAttribute("x"))
            .map(r -> Double.parseDouble(r.getAttribute("width")))
            .toList();

    assertThat(widths.get(1))
        .isCloseTo(2 * widths.get(0), org.assertj.core.data.Offset.offset(0.2));
  }

  @Test
  void itFollowsTheReadersScheme() {
    assertThat(RatioPicture.of(ROWS)).contains("prefers-color-scheme: dark").doesNotContain("href");
  }
}
