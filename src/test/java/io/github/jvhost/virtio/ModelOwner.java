package io.github.jvhost.virtio;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Owns a device model that has no back end, for the one thread of a test; keeps notifications. */
final class ModelOwner implements DeviceOwner {
  final List<Integer> notified = new ArrayList<>();
  private final VirtioNet model;

  ModelOwner(VirtioNet model) {
    this.model = model;
  }

  @Override
  public VirtioNet model() {
    return model;
  }

  @Override
  public void access(Runnable accesses) {
    accesses.run();
  }

  @Override
  public <T> T read(Function<VirtioNet, T> question) {
    return question.apply(model);
  }

  @Override
  public void kick(int ring) {
    notified.add(ring);
  }

  @Override
  public int serviceControlQueue() {
    notified.add(model.controlQueue());
    return 0;
  }
}
