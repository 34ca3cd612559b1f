// Usage: java ModernClassFiles.java IN.jar OUT.jar
//
// Gives the classes of a jar a class file version that the JVM can keep in its AOT cache. picocli is
// compiled for Java 5, whose classes the cache leaves out: the JVM then parses and verifies all of
// picocli at every start, which costs more than a quarter of the time of `haven --help`.

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassElement;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

static final int JAVA_17 = 61;

void main(String[] args) throws Exception {
  var library = new URLClassLoader(new URL[] {Path.of(args[0]).toUri().toURL()});
  var classFile =
      ClassFile.of(
          // Newer versions need stack maps; they are made only where the code is written anew.
          ClassFile.ConstantPoolSharingOption.NEW_POOL,
          ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
          ClassFile.ClassHierarchyResolverOption.of(
              ClassHierarchyResolver.ofResourceParsing(library)));
  try (library;
      var in = new ZipFile(args[0]);
      var out = new ZipOutputStream(Files.newOutputStream(Path.of(args[1])))) {
    for (var entry : Collections.list(in.entries())) {
      var bytes = in.getInputStream(entry).readAllBytes();
      if (entry.getName().endsWith(".class") && !entry.getName().endsWith("module-info.class")) {
        var model = classFile.parse(bytes);
        if (model.majorVersion() < JAVA_17) {
          bytes = classFile.transformClass(model, this::raiseVersion);
        }
      }
      out.putNextEntry(new ZipEntry(entry.getName()));
      out.write(bytes);
      out.closeEntry();
    }
  }
}

void raiseVersion(ClassBuilder builder, ClassElement element) {
  if (element instanceof ClassFileVersion) {
    builder.withVersion(JAVA_17, 0);
  } else {
    builder.with(element);
  }
}
