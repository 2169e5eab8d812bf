// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A small server on loopback that holds its sockets in one of the ways in which servers do, until it is ended.
struct ServerProcess {
    private struct Unstartable: Error {
        var mode: String
    }

    private let process = Process()
    private let input = Pipe()
    /// The process that serves.
    let id: Int32

    init(_ mode: String, port: Int) throws {
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", Self.program, mode, "\(port)"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard let id = Int32(line.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            process.waitUntilExit()
            throw Unstartable(mode: mode)
        }
        self.id = id
    }

    /// Ends it, with its children.
    func end() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// Prints the number of the process that serves, and ends at the end of its input. Its children wait for the end of a pipe of
    /// its, or of their connection.
    private static let program = """
        import os, signal, socket, subprocess, sys
        mode, port = sys.argv[1], int(sys.argv[2])
        kept = []
        def listen(port, host="127.0.0.1", **options):
            kept.append(socket.create_server((host, port), **options))
            return kept[-1]
        def datagrams(port):
            kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            kept[-1].bind(("127.0.0.1", port))
        def connect(port):
            kept.append(socket.create_connection(("127.0.0.1", port)))
            return kept[-1]
        def child(*closed):
            reading, writing = os.pipe()
            number = os.fork()
            if number == 0:
                os.close(writing)
                for one in closed: one.close()
                os.read(reading, 1)
                os._exit(0)
            return number
        def elsewhere(port):
            # Another process that serves, so that this one is its client only.
            listener = listen(port)
            child()
            listener.close()
            return connect(port)
        served = os.getpid()
        if mode == "dual":
            listen(port, "::", family=socket.AF_INET6, dualstack_ipv6=True)
        elif mode == "worker":
            listen(port)
            served = child()
        elif mode in ("fork", "gone", "inherited"):
            listener = listen(port)
            client = connect(port)
            connection, _ = listener.accept()
            if mode == "inherited":
                served = subprocess.Popen(["sleep", "600"], stdin=connection, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid
                killed = served
            else:
                served = child(listener, client)
            connection.close()
            if mode == "gone": listener.close()
        elif mode == "both":
            listen(port)
            datagrams(port)
        elif mode == "datagrams":
            datagrams(port)
        elif mode == "many":
            for number in range(20): listen(port + number)
        elif mode == "range":
            for number in range(300): listen(port + number)
        elif mode == "outgoing":
            elsewhere(port + 400)
            listen(port)
        elif mode == "client":
            elsewhere(port + 400)
        else:
            listen(port)
        print(served, flush=True)
        sys.stdin.read()
        # It has the signal mask of whoever started this one.
        if mode == "inherited": os.kill(killed, signal.SIGKILL)
        """
}
