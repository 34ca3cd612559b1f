package dev.haven.agent.libvirt;

/** libvirt said no. */
final class LibvirtError extends Exception {
  private static final long serialVersionUID = 1;

  private final int code;

  LibvirtError(int code, String message) {
    super(message, null, false, false);
    this.code = code;
  }

  /** A virErrorNumber; 0 when libvirt failed without saying why. */
  int code() {
    return code;
  }

  String message() {
    return String.valueOf(getMessage());
  }
}
