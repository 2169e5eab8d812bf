#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >Work.java <<'JAVA'
import com.sun.net.httpserver.HttpServer;
import java.io.*;
import java.net.*;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.*;

public class Work {
    public static void main(String[] arguments) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", exchange -> {
            byte[] body = exchange.getRequestURI().getPath().getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, body.length);
            try (OutputStream out = exchange.getResponseBody()) { out.write(body); }
        });
        ExecutorService pool = Executors.newFixedThreadPool(2);
        server.setExecutor(pool);
        server.start();
        int length = 0;
        // Enough rounds that the native wrappers of connect and send are compiled.
        for (int n = 0; n < 400; n++) {
            URLConnection connection = new URL("http://127.0.0.1:" + server.getAddress().getPort() + "/" + n).openConnection();
            connection.setRequestProperty("Connection", "close");
            try (InputStream in = connection.getInputStream()) { length += in.readAllBytes().length; }
        }
        System.out.println("http " + length);
        server.stop(0);
        pool.shutdown();
        try (DatagramSocket a = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
            byte[] text = "datagram".getBytes(StandardCharsets.UTF_8);
            for (int n = 0; n < 300; n++) {
                a.send(new DatagramPacket(text, text.length, a.getLocalSocketAddress()));
                a.receive(new DatagramPacket(new byte[100], 100));
            }
        }
        System.out.println("datagrams 300");
        Process child = new ProcessBuilder("echo", "child").start();
        System.out.print(new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
        System.out.println(child.waitFor());
    }
}
JAVA
java Work.java
