package dev.haven.agent.libvirt;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * libvirt's array of virTypedParameter: 96 bytes each, the name at 0, the type at 80, the value at
 * 88.
 */
final class TypedParams {
  private static final int SIZE = 96;
  private static final int TYPE = 80;
  private static final int VALUE = 88;
  private static final int INT = 1;
  private static final int UINT = 2;
  private static final int LLONG = 3;
  private static final int ULLONG = 4;
  private static final int BOOLEAN = 6;
  private static final int STRING = 7;

  private record Param(String name, int type, Object value) {}

  private final List<Param> params = new ArrayList<>();
  private final List<Memory> strings = new ArrayList<>();

  TypedParams with(String name, String value) {
    params.add(new Param(name, STRING, value));
    return this;
  }

  TypedParams with(String name, long value) {
    params.add(new Param(name, ULLONG, value));
    return this;
  }

  int count() {
    return params.size();
  }

  /** Valid for as long as this object is reachable. */
  Memory memory() {
    var memory = new Memory((long) SIZE * params.size());
    memory.clear();
    var offset = 0L;
    for (var param : params) {
      memory.setString(offset, param.name);
      memory.setInt(offset + TYPE, param.type);
      if (param.value instanceof String string) {
        var bytes = string.getBytes(StandardCharsets.UTF_8);
        var copy = new Memory(bytes.length + 1L);
        copy.write(0, bytes, 0, bytes.length);
        copy.setByte(bytes.length, (byte) 0);
        strings.add(copy);
        memory.setPointer(offset + VALUE, copy);
      } else {
        memory.setLong(offset + VALUE, (long) param.value);
      }
      offset += SIZE;
    }
    return memory;
  }

  /** The whole numbers and truth values among them (true is 1); others are left out. */
  static Map<String, Long> numbers(Pointer params, int count) {
    var numbers = new HashMap<String, Long>();
    for (var i = 0; i < count; i++) {
      var at = (long) i * SIZE;
      var name = params.getString(at);
      switch (params.getInt(at + TYPE)) {
        case INT -> numbers.put(name, (long) params.getInt(at + VALUE));
        case UINT -> numbers.put(name, Integer.toUnsignedLong(params.getInt(at + VALUE)));
        case LLONG, ULLONG -> numbers.put(name, params.getLong(at + VALUE));
        case BOOLEAN -> numbers.put(name, (long) params.getByte(at + VALUE));
        default -> {}
      }
    }
    return numbers;
  }
}
