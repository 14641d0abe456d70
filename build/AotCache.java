import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Makes the ahead-of-time cache with which {@code ./jvhost} starts: {@code target/jvhost.aot}, and
 * beside it which JDK it is of.
 *
 * <p>Usage: {@code java build/AotCache.java TARGET-DIRECTORY OPTION...}, with the options that
 * {@code ./jvhost} gives to the JVM.
 *
 * <p>A cache only makes a start faster. So whatever goes wrong here is said in one line, leaves
 * none, and does not fail the build.
 */
final class AotCache {
  private static final long SECONDS = 120;

  public static void main(String[] args) throws InterruptedException {
    try {
      make(Path.of(args[0]), List.of(args).subList(1, args.length));
    } catch (IOException e) {
      System.out.println("no ahead-of-time cache was made: " + e);
    }
  }

  private static void make(Path target, List<String> options)
      throws IOException, InterruptedException {
    Path cache = target.resolve("jvhost.aot");
    Path made = target.resolve("jvhost.aot.new");
    Path output = target.resolve("jvhost.aot.log");
    Path jdk = Path.of(System.getProperty("java.home"));
    Files.deleteIfExists(cache);
    List<String> command = new ArrayList<>();
    command.add(jdk.resolve("bin/java").toString());
    command.addAll(options);
    command.add("-XX:AOTCacheOutput=" + made);
    command.addAll(List.of("-cp", target.resolve("jvhost-cli.jar").toString()));
    command.add("io.github.jvhost.cli.Training");
    var builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.redirectOutput(output.toFile());
    // The cache is for the options of ./jvhost, whatever somebody has set for other programs.
    List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JDK_AOT_VM_OPTIONS")
        .forEach(builder.environment()::remove);
    Process training = builder.start();
    training.getOutputStream().close();
    if (!training.waitFor(SECONDS, TimeUnit.SECONDS)) {
      training.descendants().forEach(ProcessHandle::destroyForcibly);
      training.destroyForcibly().waitFor();
    }
    if (training.exitValue() != 0 || !Files.exists(made)) {
      Files.deleteIfExists(made);
      System.out.println("no ahead-of-time cache was made, " + output + " says why");
      return;
    }
    // That file says which build of which JDK it is; ./jvhost compares it with its own.
    Files.copy(
        jdk.resolve("release"),
        target.resolve("jvhost.aot.release"),
        StandardCopyOption.REPLACE_EXISTING);
    Files.move(made, cache, StandardCopyOption.ATOMIC_MOVE);
  }
}
