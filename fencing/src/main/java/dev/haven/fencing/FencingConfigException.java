package dev.haven.fencing;

/**
 * What an operator wrote about a fencing device cannot be used: which device, what, and the way
 * out.
 */
public final class FencingConfigException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String sentence;

  FencingConfigException(String device, String what, String wayOut) {
    super();
    sentence = "fencing device " + device + ": " + what + "; " + wayOut;
  }

  @Override
  public String getMessage() {
    return sentence;
  }
}
