package dev.haven.raft;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.UUID;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;

/** Whoever has some key and speaks to a voter's port, byte for byte, as it likes. */
final class Intruder implements AutoCloseable {
  static final UUID LOG = new UUID(1, 2);

  private final SSLSocket socket;
  private final DataOutputStream out;
  private final DataInputStream in;

  Intruder(SSLContext key, InetSocketAddress target) throws IOException {
    socket = (SSLSocket) key.getSocketFactory().createSocket();
    socket.connect(target, 2000);
    socket.setSoTimeout(10_000);
    socket.startHandshake();
    out = new DataOutputStream(socket.getOutputStream());
    in = new DataInputStream(socket.getInputStream());
  }

  /** Greets as this name; empty if it is let in, otherwise why not. */
  String greet(String name, UUID log, String greeted) throws IOException {
    return greet(name, log, UUID.randomUUID(), greeted);
  }

  String greet(String name, UUID log, UUID process, String greeted) throws IOException {
    var bytes = new ByteArrayOutputStream();
    var data = new DataOutputStream(bytes);
    data.writeByte(1);
    data.writeUTF("test");
    data.writeUTF(name);
    for (var id : new UUID[] {log, process}) {
      data.writeLong(id.getMostSignificantBits());
      data.writeLong(id.getLeastSignificantBits());
    }
    data.writeUTF(greeted);
    frame(bytes.toByteArray());
    var answer = new byte[in.readInt()];
    in.readFully(answer);
    var read = new DataInputStream(new ByteArrayInputStream(answer));
    read.readByte();
    return read.readUTF();
  }

  void say(Wire message) throws IOException {
    frame(Wire.encode(message));
  }

  /** Any thread. */
  synchronized void frame(byte[] bytes) throws IOException {
    out.writeInt(bytes.length);
    out.write(bytes);
    out.flush();
  }

  /** A length with nothing behind it. */
  void length(int bytes) throws IOException {
    out.writeInt(bytes);
    out.flush();
  }

  /** Whether the other side has ended it; waits for that. */
  boolean isTurnedOut() {
    try {
      return in.read() < 0;
    } catch (java.net.SocketTimeoutException e) {
      return false;
    } catch (IOException e) {
      return true;
    }
  }

  Socket socket() {
    return socket;
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
