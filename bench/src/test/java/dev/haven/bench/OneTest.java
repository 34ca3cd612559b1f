package dev.haven.bench;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestDescriptor;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/**
 * Runs one test method, whatever its parameters: {@code OneTest dev.haven.part.SomeTest#method}.
 * Ends with 0 if it passed, 1 if it failed (the reason is the last line), 2 if nothing ran.
 */
final class OneTest {
  private OneTest() {}

  public static void main(String[] args) {
    var type = args[0].substring(0, args[0].indexOf('#'));
    var method = args[0].substring(args[0].indexOf('#') + 1);
    var listener = new SummaryGeneratingListener();
    var request =
        LauncherDiscoveryRequestBuilder.request()
            .selectors(selectClass(type))
            .filters((PostDiscoveryFilter) test -> FilterResult.includedIf(is(test, method)))
            .build();
    LauncherFactory.create().execute(request, listener);
    var summary = listener.getSummary();
    for (var failure : summary.getFailures()) {
      var reason = String.valueOf(failure.getException()).strip().replaceAll("\\s+", " ");
      System.out.println(
          failure.getTestIdentifier().getDisplayName()
              + " failed: "
              + reason.substring(0, Math.min(reason.length(), 120)));
    }
    int end = summary.getTotalFailureCount() > 0 ? 1 : summary.getTestsSucceededCount() > 0 ? 0 : 2;
    System.out.flush();
    System.exit(end); // a test may have left a thread behind
  }

  private static boolean is(TestDescriptor test, String method) {
    return test.getSource()
        .map(s -> !(s instanceof MethodSource m) || m.getMethodName().equals(method))
        .orElse(true);
  }
}
