package io.github.jvhost.mediate;

import static java.util.Objects.requireNonNull;

import com.sun.jdi.Bootstrap;
import com.sun.jdi.Method;
import com.sun.jdi.ReferenceType;
import com.sun.jdi.VMDisconnectedException;
import com.sun.jdi.VirtualMachine;
import com.sun.jdi.connect.AttachingConnector;
import com.sun.jdi.connect.Connector;
import com.sun.jdi.connect.IllegalConnectorArgumentsException;
import com.sun.jdi.event.BreakpointEvent;
import com.sun.jdi.event.ClassPrepareEvent;
import com.sun.jdi.event.Event;
import com.sun.jdi.event.EventSet;
import com.sun.jdi.request.BreakpointRequest;
import com.sun.jdi.request.ClassPrepareRequest;
import com.sun.jdi.request.EventRequest;
import io.github.jvhost.FreshJvm;
import io.github.jvhost.cli.Jvhost;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * {@code jvhost mediate} in a process that is held, and killed, at a chosen step: when a NIC is
 * about to call one of the methods that change what lasts longer than the process. The JDK's
 * debugger interface does it, so the mediator knows nothing of it.
 */
final class HeldMediator implements AutoCloseable {
  /** The steps of a NIC: what it stores, tells its switch, answers and reads. */
  private static final Map<String, Set<String>> STEPS =
      Map.of(
          "io.github.jvhost.mediate.keep.StateFile", Set.of("write"),
          "io.github.jvhost.mediate.keep.KeeperStore", Set.of("put", "remove"),
          "io.github.jvhost.mediate.SwitchConnection", Set.of("tell", "tellAndCheck"),
          "io.github.jvhost.mediate.FrontEndLink", Set.of("receive", "answer"));

  private static final String LISTENING = "Listening for transport dt_socket at address: ";

  private final ChildProcess process;
  private final VirtualMachine machine;
  private final List<String> steps = new ArrayList<>();

  /** Whether the NIC is held after these steps, the last of which is not done yet. */
  private @Nullable Predicate<List<String>> holds;

  private boolean held;

  private HeldMediator(ChildProcess process, VirtualMachine machine) {
    this.process = process;
    this.machine = machine;
  }

  /** Starts it with arguments that name a NIC net0. */
  static HeldMediator start(List<String> arguments) {
    List<String> command = new ArrayList<>(FreshJvm.command(Jvhost.class, arguments));
    command.add(1, "-agentlib:jdwp=transport=dt_socket,server=y,suspend=y,address=127.0.0.1:0");
    ChildProcess process = ChildProcess.leashed("mediator", command, Map.of());
    process.transcript().awaitText(LISTENING, 0, soon(), "start of the debugger's agent");
    Wait.until(() -> port(process.transcript().text()).matches("\\d+"));
    var started = new HeldMediator(process, attach(port(process.transcript().text())));
    started.watch();
    process.transcript().awaitText("mediating net0", 0, soon(), "start of the mediator");
    return started;
  }

  private static String port(String said) {
    int at = said.indexOf(LISTENING) + LISTENING.length();
    int end = said.indexOf('\n', at);
    return end < 0 ? "" : said.substring(at, end).strip();
  }

  private static Deadline soon() {
    return Deadline.after(Duration.ofSeconds(60));
  }

  private static VirtualMachine attach(String port) {
    AttachingConnector connector =
        Bootstrap.virtualMachineManager().attachingConnectors().stream()
            .filter(one -> one.name().equals("com.sun.jdi.SocketAttach"))
            .findFirst()
            .orElseThrow();
    Map<String, Connector.Argument> arguments = connector.defaultArguments();
    requireNonNull(arguments.get("hostname")).setValue("127.0.0.1");
    requireNonNull(arguments.get("port")).setValue(port);
    try {
      return connector.attach(arguments);
    } catch (IOException | IllegalConnectorArgumentsException e) {
      throw new IllegalStateException(e);
    }
  }

  private void watch() {
    for (String name : STEPS.keySet()) {
      ClassPrepareRequest loaded = machine.eventRequestManager().createClassPrepareRequest();
      loaded.addClassFilter(name);
      loaded.enable();
    }
    Thread.ofPlatform().daemon().name("debugger").start(this::serve);
    machine.resume();
  }

  private void serve() {
    try {
      while (!Thread.currentThread().isInterrupted()) {
        EventSet events = machine.eventQueue().remove();
        boolean goesOn = true;
        for (Event event : events) {
          switch (event) {
            case ClassPrepareEvent loaded -> breakIn(loaded.referenceType());
            case BreakpointEvent step -> goesOn = !holds(step);
            default -> {}
          }
        }
        if (goesOn) {
          events.resume();
        }
      }
    } catch (VMDisconnectedException | InterruptedException _) {
      // It was killed.
    }
  }

  private void breakIn(ReferenceType type) {
    for (Method method : type.methods()) {
      if (STEPS.getOrDefault(type.name(), Set.of()).contains(method.name())) {
        BreakpointRequest step =
            machine.eventRequestManager().createBreakpointRequest(method.location());
        step.setSuspendPolicy(EventRequest.SUSPEND_EVENT_THREAD);
        step.enable();
      }
    }
  }

  private synchronized boolean holds(BreakpointEvent event) {
    if (holds != null && event.thread().name().equals("jvhost-nic net0")) {
      steps.add(event.location().method().name());
      held = holds.test(steps);
    }
    return held;
  }

  /**
   * Holds the NIC when this is true of its steps from now on; the last of them is not done then.
   */
  synchronized void holdWhen(Predicate<List<String>> steps) {
    holds = steps;
  }

  synchronized boolean isHeld() {
    return held;
  }

  void kill() {
    process.kill();
  }

  @Override
  public void close() {
    process.close();
  }
}
