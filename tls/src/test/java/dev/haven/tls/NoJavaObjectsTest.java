package dev.haven.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InvalidClassException;
import java.io.ObjectInputFilter;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.Date;
import org.junit.jupiter.api.Test;

class NoJavaObjectsTest {
  @Test
  void noJavaObjectIsReadAndSayingSoTwiceDoesNoHarm() throws Exception {
    var bytes = new ByteArrayOutputStream();
    try (var out = new ObjectOutputStream(bytes)) {
      out.writeObject(new Date());
    }
    NoJavaObjects.areRead();
    NoJavaObjects.areRead();
    assertThat(String.valueOf(ObjectInputFilter.Config.getSerialFilter())).isEqualTo("!*");
    try (var in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      assertThatThrownBy(in::readObject).isInstanceOf(InvalidClassException.class);
    }
  }
}
