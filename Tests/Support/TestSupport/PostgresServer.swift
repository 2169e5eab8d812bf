// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// A PostgreSQL server of a test's own: in a temporary folder, as an unprivileged user, reached by a Unix socket. It ends with the
/// value, and with the test's process however that ends.
public final class PostgresServer: Sendable {
    private let folder: TemporaryFolder
    /// The shell that waits for the end.
    private let guardian: Int32
    /// While this process holds the pipe's other end the server runs.
    private let pipe: Pipe
    private let databases = Mutex(0)
    public let port: Int

    private static let user = "tester"

    /// The folder of the server's programs: the one that `EPITOPE_TEST_POSTGRESQL` names, else that of the newest version that is
    /// installed; `nil`: none is.
    public static let programs: String? = {
        if let named = ProcessInfo.processInfo.environment["EPITOPE_TEST_POSTGRESQL"] { return named }
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        return versions.compactMap { Int($0) }.max().map { "/usr/lib/postgresql/\($0)/bin" }
    }()

    /// One for all tests of this process that want a database, each for itself.
    public static let shared = Result { try PostgresServer() }

    /// Starts a server, and waits until it answers.
    ///
    /// - Parameter settings: of postgresql.conf.
    public init(_ settings: [String: String] = [:]) throws {
        guard let programs = Self.programs else { throw NeverCame(what: "the programs of PostgreSQL (postgresql-15)") }
        folder = try TemporaryFolder()
        port = 5432
        // The server refuses to be root, and another user has to come through here.
        chmod(folder.path, 0o711)
        let data = "\(folder.path)/data"
        mkdir(data, 0o700)
        if getuid() == 0 { chown(data, Self.unprivileged, Self.unprivileged) }
        try Self.run(
            Self.asUser + ["\(programs)/initdb", "-D", data, "-U", Self.user, "--auth=trust", "--no-sync", "--locale=C", "-E", "UTF8"])
        var all = [
            "listen_addresses": "", "unix_socket_directories": data, "fsync": "off", "max_connections": "600", "shared_buffers": "64MB",
            "logging_collector": "off", "autovacuum_naptime": "5s",
        ]
        all.merge(settings) { $1 }
        let words =
            Self.asUser + ["\(programs)/postgres", "-D", data, "-p", "\(port)"]
            + all.sorted { $0.key < $1.key }.flatMap { ["-c", "\($0)=\($1)"] }
        pipe = Pipe()
        // The shell's own input is the pipe: it ends the server when nobody holds the other end any more.
        guardian = try Self.start(
            ["/bin/sh", "-c", "\"$@\" 2>\(folder.path)/log & read -r word <&3; kill -QUIT $!; wait", "sh"] + words,
            descriptors: [pipe.fileHandleForReading.fileDescriptor])
        try waitUntilReady(seconds: 60)
    }

    deinit {
        pipe.fileHandleForWriting.closeFile()
        // It takes the server with it.
        for _ in 0..<1000 where waitpid(guardian, nil, WNOHANG) == 0 { usleep(10_000) }
    }

    /// How a client reaches a database of the server.
    public func connection(to database: String) -> String {
        "host=\(folder.path)/data port=\(port) user=\(Self.user) dbname=\(database)"
    }

    /// Makes a database.
    ///
    /// - Parameter template: one that nobody has open, whose copy it is; `nil`: it is empty.
    /// - Returns: how a client reaches it.
    public func makeDatabase(from template: String? = nil) throws -> String {
        let name = "test\(databases.withLock { databases in databases += 1; return databases })"
        try run("CREATE DATABASE \(name)" + (template.map { " TEMPLATE \($0)" } ?? ""), in: "postgres")
        return connection(to: name)
    }

    /// Runs statements, and returns what they print, columns separated by `|`.
    @discardableResult
    public func run(_ sql: String, in database: String) throws -> String { try run(sql, at: connection(to: database)) }

    /// The same in the database that a client reaches so.
    @discardableResult
    public func run(_ sql: String, at connection: String) throws -> String {
        try Self.run(["\(Self.programs ?? "")/psql", connection, "-v", "ON_ERROR_STOP=1", "-qAtc", sql])
    }

    /// Sends every process of the server a signal: it is frozen by SIGSTOP.
    public func send(_ signal: Int32) throws {
        let first = try folder.read("data/postmaster.pid").split(separator: "\n").first.flatMap { Int32($0) }
        guard let first else { throw NeverCame(what: "the number of the server's process") }
        let children = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.filter { process in
            let status = (try? KernelFile.text("/proc/\(process)/status")) ?? ""
            return status.split(separator: "\n").contains { $0.split(separator: "\t") == ["PPid:", "\(first)"] }
        }
        for process in [first] + children { kill(process, signal) }
    }

    private func waitUntilReady(seconds: Int) throws {
        for _ in 0..<seconds * 20 {
            if (try? run("SELECT 1", in: "postgres")) == "1\n" { return }
            usleep(50_000)
        }
        throw NeverCame(what: "an answer of the server: \((try? folder.read("log")) ?? "")")
    }

    /// Nobody, where tests run as root.
    private static let unprivileged: uid_t = 65534
    private static let asUser = getuid() == 0 ? ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []

    private static func start(_ words: [String], descriptors: [Int32] = [], output: Int32? = nil) throws -> Int32 {
        let none = open("/dev/null", O_WRONLY)
        defer { close(none) }
        return try Command.spawn(words, ["PATH=/usr/bin:/bin", "LC_ALL=C"], output ?? none, output ?? none, descriptors: descriptors)
    }

    @discardableResult
    private static func run(_ words: [String]) throws -> String {
        let folder = try TemporaryFolder()
        let output = try folder.makeFile("output")
        let process = try start(words, output: output.fileDescriptor)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let text = try folder.read("output")
        guard status == 0 else { throw NeverCame(what: "the end of \(words.joined(separator: " ")): \(text)") }
        return text
    }
}
