// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// A center outgrows its file: its store is moved into a database, and nobody has to begin anew.
@Suite(.serialized) struct MoveStoreTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Settings of a file, in which the store is in a database.
    private func settings(_ database: String) throws -> String {
        let path = "\(folder.path)/settings.yaml"
        let lines = ["requireGoodware: false", "store:", "  postgresql: \"\(database)\"", ""]
        try Data(lines.joined(separator: "\n").utf8).write(to: URL(filePath: path))
        return path
    }

    @Test func `hosts go on, who was revoked stays so, and what was withdrawn does not come back`() async throws {
        let center = try await Center()
        try await center.serve()
        let (host, gone) = (try Host("host-1"), try Host("gone"))
        for each in [host, gone] { try await each.enroll(at: center) }
        try await host.attack()
        try await eventually("a signature") { try await center.status().latestUpdates.count == 1 }
        let before = try await center.status()
        let signature = try #require(before.latestUpdates.first)
        #expect(try await center.command("withdraw", signature.signatureID, "--reason", "a test").status == 0)
        #expect(try await center.command("revoke", "--host", gone.name).status == 0)
        let token = try await center.token("late")

        let database = try PostgresServer.shared.get().makeDatabase()
        let config = try settings(database)
        expectFailure(try await center.command("move-store", "--config", config), "center-running")
        let events = try await center.events("stored").map(\.subject)
        try await center.stop()
        let checked = try await center.command("check", "--config", config, "--listen", "127.0.0.1:0")
        #expect(checked.status == 1 && checked.output.contains("store-elsewhere"), "\(checked.output)\(checked.errors)")
        // Who looks at the store keeps it where it is: here a command that stands still.
        let looking = open("\(center.state)/move.lock", O_RDWR | O_CLOEXEC)
        try #require(looking >= 0 && flock(looking, LOCK_SH) == 0)
        expectFailure(try await center.command("move-store", "--config", config), "store-moving")
        flock(looking, LOCK_EX)
        expectFailure(try await center.command("revoke", "--host", host.name), "store-moving")
        close(looking)
        // An earlier one that was kept stays.
        try Data("kept".utf8).write(to: URL(filePath: "\(center.state)/center.sqlite.moved"))
        let moved = try await center.command("move-store", "--config", config)
        try #require(moved.status == 0, "\(moved.errors)")
        #expect(moved.output.contains("the file is kept as \(center.state)/center.sqlite.moved-2"), "\(moved.output)")
        #expect(moved.errors.contains("reports: 1 rows"), "\(moved.errors)")
        expectFailure(try await center.command("move-store", "--config", config), "store-elsewhere")

        let address = try #require(center.url.split(separator: "/").last)
        let server = try RunningProcess([
            Command.built("epitope"), "local-center", "serve", "--state", center.state, "--config", config, "--listen", String(address),
        ])
        try await server.line(with: "listening on")
        let after = try await center.status()
        #expect(after.reports == before.reports)
        #expect(after.latestUpdates.map(\.signatureID) == [signature.signatureID] && after.latestUpdates.first?.sid == signature.sid)
        #expect(after.latestUpdates.first?.state == "withdrawn")
        #expect(try await center.events("stored").map(\.subject) == events)
        #expect(try await gone.attack().errors.contains("[revoked]"))
        try await host.attacks(1)
        try await eventually("a packet in the database") { try await center.status().reports.values.reduce(0, +) == 2 }
        #expect(try await Host("late").enroll(at: center.url, token: token).status == 0, "a token of before")
        try await server.end()

        // The file is not served from again by mistake.
        let file = "\(folder.path)/file.yaml"
        try Data("requireGoodware: false\n".utf8).write(to: URL(filePath: file))
        expectFailure(
            try await epitope(["local-center", "serve", "--state", center.state, "--config", file, "--listen", "127.0.0.1:0"]),
            "store-elsewhere")
    }
}
