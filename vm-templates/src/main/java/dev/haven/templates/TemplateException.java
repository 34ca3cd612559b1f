package dev.haven.templates;

/**
 * A person gave a wrong value, template or domain XML. The message says what, where and the way
 * out.
 */
public final class TemplateException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  TemplateException(String message) {
    super(message);
  }
}
