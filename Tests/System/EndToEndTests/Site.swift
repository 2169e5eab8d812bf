// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// `epitope`, anywhere.
func epitope(_ arguments: [String], within namespace: Namespace? = nil, by clock: ShiftedClock? = nil) async throws -> Command {
    let words = try (clock?.fixed ?? []) + [Command.built("epitope")] + arguments
    let all = namespace?.inside(words) ?? words
    return try await Command.run(all[0], Array(all.dropFirst()), seconds: 60)
}

/// A center's life by the command line: made, served, stopped, killed.
final class Center {
    enum Kind: String {
        case local = "local-center"
        case global = "global-center"
    }

    struct Event: Decodable {
        var step: String
        var subject: String
        var detail: String
    }

    struct Status: Decodable {
        struct Update: Decodable {
            var signatureID: String
            var sid: UInt32?
            var state: String
            var deliveries: [String: String]
        }

        var reports: [String: Int]
        var latestUpdates: [Update]
        var subscriptionCursor: Int64?
    }

    let kind: Kind
    let state: String
    private let address: String
    private let namespace: Namespace?
    private let clock: ShiftedClock?
    private let folder = try? TemporaryFolder()
    private(set) var server: RunningProcess?
    /// What the restore said; `nil`: it was not made by one.
    private(set) var restoration: Command?
    /// Taken by the first ``serve(_:)`` and kept by the next ones.
    private var port = 0

    init(
        _ kind: Kind = .local, state: String? = nil, address: String = "127.0.0.1", within namespace: Namespace? = nil,
        by clock: ShiftedClock? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        self.kind = kind
        self.address = address
        self.namespace = namespace
        self.clock = clock
        self.state = try "\(state ?? #require(folder).path)/\(kind.rawValue)"
        let made = try await command("init", "--name", "test-site", "--address", address)
        try #require(made.status == 0, "\(made.errors)", sourceLocation: sourceLocation)
    }

    /// A center that takes another's place, at its address: restored from a backup of it, in a folder of its own.
    init(restoring backup: String, of lost: Center, _ more: [String] = [], sourceLocation: SourceLocation = #_sourceLocation) async throws {
        (kind, address, namespace, clock, port) = (lost.kind, lost.address, lost.namespace, lost.clock, lost.port)
        state = try "\(#require(folder).path)/\(kind.rawValue)"
        restoration = try await epitope(
            [kind.rawValue, "restore", "--state", state, "--from", backup] + more, within: namespace, by: clock)
        try #require(restoration?.status == 0, "\(restoration?.errors ?? "")", sourceLocation: sourceLocation)
    }

    /// Another machine of a center whose store is in a database, with a copy of its files as they are now.
    init(beside other: Center) throws {
        (kind, address, namespace, clock) = (other.kind, other.address, other.namespace, other.clock)
        state = try "\(#require(folder).path)/\(kind.rawValue)"
        try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: false)
        // Without the sockets and the store's bell of one that runs.
        for name in try FileManager.default.contentsOfDirectory(atPath: other.state) {
            let kind = try FileManager.default.attributesOfItem(atPath: "\(other.state)/\(name)")[.type] as? FileAttributeType
            guard kind == .typeRegular || kind == .typeDirectory else { continue }
            try FileManager.default.copyItem(atPath: "\(other.state)/\(name)", toPath: "\(state)/\(name)")
        }
        try FileManager.default.copyItem(atPath: other.state + ".key", toPath: state + ".key")
    }

    var url: String { "https://\(address):\(port)" }

    /// - Parameters:
    ///   - dropFrom: the evidence from which on its rules drop; `nil`: what the center does by itself.
    ///   - settings: further ones.
    ///   - openFiles: how many files it may have open; `nil`: as many as this process.
    func serve(
        _ more: [String] = [], dropFrom: String? = nil, settings further: [String: Any] = [:], openFiles: Int? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let settings = try settingsPath
        let goodware = try #require(folder).path + "/goodware.index"
        if !FileManager.default.fileExists(atPath: goodware) {
            let made = try await epitope(["goodware", "build", "/usr/bin/bash", "--output", goodware])
            try #require(made.status == 0, "\(made.errors)", sourceLocation: sourceLocation)
        }
        var values: [String: Any] = ["goodware": goodware].merging(further) { $1 }
        values["dropFrom"] = dropFrom
        // Three of the day's updates rest on one host's word alone; at a global center ten.
        if kind == .local { values["updatesADay"] = 9 }
        try JSONSerialization.data(withJSONObject: values).write(to: URL(fileURLWithPath: settings))
        let words =
            try (clock?.fixed ?? []) + (openFiles.map { ["/bin/bash", "-c", "ulimit -n \($0) && exec \"$@\"", "bash"] } ?? [])
            + [
                Command.built("epitope"), kind.rawValue, "serve", "--state", state, "--config", settings, "--listen", "\(address):\(port)",
            ] + more
        let server = try RunningProcess(namespace?.inside(words) ?? words)
        self.server = server
        let line = try await server.line(with: "listening on", fileID: sourceLocation.fileID, line: sourceLocation.line)
        // The line may be an object, of which this is the end.
        port = try #require(line.matches(of: /:(\d+)/).last.flatMap { Int($0.1) }, sourceLocation: sourceLocation)
    }

    /// What it was served with last: in a folder of its own, since a namespace may lay a disk over that of the state.
    var settingsPath: String { get throws { try "\(#require(folder).path)/settings.json" } }

    func stop(_ signal: Int32 = SIGTERM, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await server?.end(signal, fileID: sourceLocation.fileID, line: sourceLocation.line)
        server = nil
    }

    func command(_ noun: String, _ arguments: String...) async throws -> Command {
        try await epitope([kind.rawValue, noun, "--state", state] + arguments, within: namespace, by: clock)
    }

    func token(_ host: String, sourceLocation: SourceLocation = #_sourceLocation) async throws -> String {
        let made = try await command("token", "--host", host)
        try #require(made.status == 0, "\(made.errors)", sourceLocation: sourceLocation)
        return made.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func events(_ step: String, sourceLocation: SourceLocation = #_sourceLocation) async throws -> [Event] {
        try await decode([Event].self, command("events", "--json", "--limit", "1000000"), sourceLocation).filter { $0.step == step }
    }

    func status(sourceLocation: SourceLocation = #_sourceLocation) async throws -> Status {
        try await decode(Status.self, command("status", "--json"), sourceLocation)
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ command: Command, _ sourceLocation: SourceLocation) throws -> Value {
        try #require(command.status == 0, "\(command.errors)", sourceLocation: sourceLocation)
        return try JSONDecoder().decode(type, from: Data(command.output.utf8))
    }
}

/// A host by the command line.
final class Host {
    struct Event: Decodable {
        var event: String
        var packet: String?
        var destination: String?
        var code: String?
        var message: String?
    }

    let name: String
    let state: String
    private let namespace: Namespace?
    private let clock: ShiftedClock?
    private let folder = try? TemporaryFolder()

    init(_ name: String = "host-1", state: String? = nil, within namespace: Namespace? = nil, by clock: ShiftedClock? = nil) throws {
        self.name = name
        self.namespace = namespace
        self.clock = clock
        self.state = try "\(state ?? #require(folder).path)/host"
    }

    /// Makes a token at the center and uses it.
    func enroll(at center: Center, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let token = try await center.token(name, sourceLocation: sourceLocation)
        let enrolled = try await enroll(at: center.url, token: token, center.kind == .global ? ["--global"] : [])
        try #require(enrolled.status == 0, "\(enrolled.errors)", sourceLocation: sourceLocation)
    }

    func enroll(at url: String, token: String, _ more: [String] = []) async throws -> Command {
        try await epitope(["enroll", "--state", state, "--center", url, "--token", token] + more, within: namespace, by: clock)
    }

    /// Runs a program of the fixtures under behaviour blocking.
    @discardableResult
    func run(_ program: String, _ arguments: [String], options: [String] = []) async throws -> Command {
        try await epitope(
            ["run", "--state", state] + options + ["--", Command.built(program)] + arguments, within: namespace, by: clock)
    }

    /// A blocked call of code that would send itself to a port on loopback. The code is always the same.
    @discardableResult
    func attack(
        port: Int = 9555, options: [String] = [], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Command {
        let run = try await run("call-stub", ["datagram", "anonymous", "send", "\(port)"], options: options)
        #expect(run.output.contains("result -1 errno 1"), "\(run.output)\(run.errors)", sourceLocation: sourceLocation)
        return run
    }

    /// Blocked calls of which each has code of its own.
    @discardableResult
    func attacks(_ count: Int, options: [String] = []) async throws -> Command {
        try await run("call-series", ["\(count)", "0", "9555"], options: options)
    }

    var events: [Event] {
        let path = "\(namespace.map { "/proc/\($0.identifier)/root" } ?? "")\(state)/events.jsonl"
        let data = FileManager.default.contents(atPath: path) ?? Data()
        return data.split(separator: UInt8(ascii: "\n")).compactMap { try? JSONDecoder().decode(Event.self, from: $0) }
    }

    func events(_ name: String) -> [Event] { events.filter { $0.event == name } }
}

/// A center and a host that is enrolled at it.
func makeSite(
    serving options: [String] = [], sourceLocation: SourceLocation = #_sourceLocation
) async throws -> (Center, Host) {
    let center = try await Center(sourceLocation: sourceLocation)
    try await center.serve(options, sourceLocation: sourceLocation)
    let host = try Host()
    try await host.enroll(at: center, sourceLocation: sourceLocation)
    return (center, host)
}

/// Expects a command to have failed with a code on the screen, and with what to do.
func expectFailure(_ command: Command, _ code: String, status: Int32 = 1, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(command.status == status, "\(command.output)\(command.errors)", sourceLocation: sourceLocation)
    #expect(command.errors.contains("[\(code)]"), "\(command.errors)", sourceLocation: sourceLocation)
    #expect(command.errors.contains("what to do:"), "\(command.errors)", sourceLocation: sourceLocation)
}
