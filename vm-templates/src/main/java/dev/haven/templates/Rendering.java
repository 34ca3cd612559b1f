package dev.haven.templates;

import dev.haven.model.Xml;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.w3c.dom.Attr;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.Text;

/**
 * Fills one template. Values go into the tree of a document and never into text that is parsed, so
 * none of them can become markup.
 *
 * <p>A template is domain XML with {@code ${parameter}} in text and attributes, and in the template
 * namespace: {@code h:if="p"} and {@code h:unless="p"} (the element is there only with or without
 * the parameter), {@code h:each="list"} (once for each, as {@code ${list.field}}) and {@code
 * <h:include file="…"/>}.
 */
final class Rendering {
  static final String NAMESPACE = "urn:dev.haven:template";
  private static final Pattern PARAMETER = Pattern.compile("\\$\\{([^}]*)}");

  /**
   * @param xml the domain XML
   * @param origins which parameters stand behind an element or attribute, by its path; see {@link
   *     PathTracker}
   */
  record Result(String xml, Map<String, String> origins) {}

  private final String where;
  private final Map<String, List<Map<String, String>>> lists;
  private final Function<String, Document> fragments;
  private final Document out = Xml.newDocument();
  private final Map<String, String> origins = new HashMap<>();

  private Rendering(
      String where,
      Map<String, List<Map<String, String>>> lists,
      Function<String, Document> fragments) {
    this.where = where;
    this.lists = lists;
    this.fragments = fragments;
  }

  static Result render(
      String where,
      Document template,
      Map<String, String> values,
      Map<String, List<Map<String, String>>> lists,
      Function<String, Document> fragments) {
    var rendering = new Rendering(where, lists, fragments);
    rendering.add(
        template.getDocumentElement(), rendering.out, "", new HashMap<>(), new Scope(values, ""));
    return new Result(Xml.writeIndented(rendering.out), Map.copyOf(rendering.origins));
  }

  /**
   * @param values what may stand in {@code ${…}}
   * @param item "1" for the first of a list, "" outside
   */
  private record Scope(Map<String, String> values, String item) {}

  private void add(
      Element from, Node parent, String parentPath, Map<String, Integer> siblings, Scope scope) {
    var condition = from.getAttributeNS(NAMESPACE, "if");
    var exclusion = from.getAttributeNS(NAMESPACE, "unless");
    var list = from.getAttributeNS(NAMESPACE, "each");
    if (list.isEmpty()) {
      if ((condition.isEmpty() || scope.values().containsKey(condition))
          && (exclusion.isEmpty() || !scope.values().containsKey(exclusion))) {
        addOne(from, parent, parentPath, siblings, scope);
      }
      return;
    }
    var items = lists.get(list);
    if (items == null) {
      throw new IllegalArgumentException(
          "%s: h:each=\"%s\" names no list; known are %s"
              .formatted(where, list, new TreeSet<>(lists.keySet())));
    }
    for (int i = 0; i < items.size(); i++) {
      var values = new HashMap<>(scope.values());
      values.putAll(items.get(i));
      addOne(from, parent, parentPath, siblings, new Scope(values, String.valueOf(i + 1)));
    }
  }

  private void addOne(
      Element from, Node parent, String parentPath, Map<String, Integer> siblings, Scope scope) {
    if (NAMESPACE.equals(from.getNamespaceURI())) {
      if (!"include".equals(from.getLocalName())) {
        throw new IllegalArgumentException(
            where + ": <" + from.getTagName() + "> is unknown; there is only <h:include>");
      }
      var fragment = fragments.apply(from.getAttribute("file"));
      addChildren(fragment.getDocumentElement(), parent, parentPath, siblings, scope);
      return;
    }
    var path = PathTracker.childPath(parentPath, from.getTagName(), siblings);
    var element = out.createElementNS(from.getNamespaceURI(), from.getTagName());
    var attributes = from.getAttributes();
    for (int i = 0; i < attributes.getLength(); i++) {
      if (attributes.item(i) instanceof Attr attribute && !ours(attribute)) {
        var value = fill(attribute.getValue(), path + "/@" + attribute.getName(), scope);
        element.setAttributeNS(attribute.getNamespaceURI(), attribute.getName(), value);
      }
    }
    parent.appendChild(element);
    addChildren(from, element, path, new HashMap<>(), scope);
  }

  private static boolean ours(Attr attribute) {
    return NAMESPACE.equals(attribute.getNamespaceURI()) || NAMESPACE.equals(attribute.getValue());
  }

  private void addChildren(
      Element from, Node parent, String path, Map<String, Integer> siblings, Scope scope) {
    for (var child = from.getFirstChild(); child != null; child = child.getNextSibling()) {
      if (child instanceof Element element) {
        add(element, parent, path, siblings, scope);
      } else if (child instanceof Text text && !text.getData().isBlank()) {
        parent.appendChild(out.createTextNode(fill(text.getData().strip(), path, scope)));
      } // comments and blanks are for the template's reader
    }
  }

  private String fill(String text, String path, Scope scope) {
    return PARAMETER
        .matcher(text)
        .replaceAll(
            match -> {
              var name = match.group(1);
              var value = scope.values().get(name);
              if (value == null) {
                throw new IllegalArgumentException(
                    "%s: ${%s} has no value here; there are %s"
                        .formatted(where, name, new TreeSet<>(scope.values().keySet())));
              }
              refuseControlCharacters(name, value);
              origins.put(path, origin(name, scope));
              return Matcher.quoteReplacement(value);
            });
  }

  private static String origin(String name, Scope scope) {
    int dot = name.indexOf('.');
    return scope.item().isEmpty() || dot < 0
        ? name
        : name.substring(0, dot) + " " + scope.item() + ", " + name.substring(dot + 1);
  }

  private void refuseControlCharacters(String name, String value) {
    boolean clean =
        value
            .codePoints()
            .allMatch(
                c ->
                    c >= 0x20
                        && c != 0x7f
                        && c != 0xfffe
                        && c != 0xffff
                        && (c < 0xd800 || c > 0xdfff));
    if (!clean) {
      throw new IllegalArgumentException(
          "%s: %s has a character that XML cannot hold (a control character or half a pair); remove it"
              .formatted(where, name));
    }
  }
}
