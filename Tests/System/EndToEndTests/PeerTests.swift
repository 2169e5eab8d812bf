// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Two sites that exchange updates without a global center.
@Suite(.serialized) struct PeerTests {
    private struct Update: Decodable {
        struct Support: Decodable {
            var grade: String
            var reporters: Int
        }
        var signatureID: String
        var state: String
        var support: Support?
    }

    private struct Status: Decodable { var latestUpdates: [Update] }

    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        let settings = try folder.makeFolder("d")
        try Data("peers: true\n".utf8).write(to: URL(filePath: settings + "/peers.yaml"))
    }

    private func site() async throws -> Center {
        let center = try await Center()
        try await center.serve(["--config-folder", folder.path + "/d"])
        return center
    }

    private func updates(_ center: Center) async throws -> [String: Update] {
        let status = try JSONDecoder().decode(Status.self, from: Data(try await center.command("status", "--json").output.utf8))
        return Dictionary(status.latestUpdates.map { ($0.signatureID, $0) }) { first, _ in first }
    }

    /// Has one site read another's updates.
    private func read(_ reader: Center, _ own: String, of teller: Center, _ name: String) async throws -> Command {
        let token = try await teller.command("token", "--site", own)
        try #require(token.status == 0, "\(token.errors)")
        return try await reader.command(
            "peer-with", "--site", name, "--center", teller.url, "--token", token.output.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    @Test func `two sites tell each other what their own hosts saw, and each proves and weighs it as one site's word`() async throws {
        let (north, south) = (try await site(), try await site())
        for (reader, own, teller, name) in [(north, "north", south, "south"), (south, "south", north, "north")] {
            let made = try await read(reader, own, of: teller, name)
            #expect(made.status == 0 && made.output.contains("half a minute"), "\(made.output)\(made.errors)")
        }
        #expect(try await south.command("status").output.contains("updates read of  north"))

        // North's host is attacked.
        let host = try Host()
        try await host.enroll(at: north)
        try await host.attack()
        try await eventually("north's update") { try await updates(north).count == 1 }
        let id = try #require(try await updates(north).keys.first)
        try await eventually("the update at south", seconds: 60) { try await updates(south)[id]?.state == "proven" }
        let told = try #require(try await updates(south)[id])
        #expect(told.support?.grade == "reported" && told.support?.reporters == 1, "\(told)")
        #expect(
            try await south.events("proven").contains { $0.subject == id && $0.detail.contains("absent-from-goodware") }, "proven here anew"
        )
        // What south has from north alone it tells nobody.
        try await Task.sleep(for: .seconds(3))
        #expect(try await north.events("stored").count == 1)

        // South's own host is attacked by the same: at both sites two say so now.
        let other = try Host("host-2")
        try await other.enroll(at: south)
        try await other.attack()
        try await eventually("south's host and north agree", seconds: 60) { try await updates(south)[id]?.support?.grade == "corroborated" }
        try await eventually("north hears of it", seconds: 60) { try await updates(north)[id]?.support?.grade == "corroborated" }
        #expect(try await north.events("stored").count == 2)

        // What one site alone says ends with its word; what the other's hosts say stays.
        try await host.attacks(1)
        try await eventually("north's second update") { try await updates(north).count == 2 }
        let second = try #require(try await updates(north).keys.first { $0 != id })
        try await eventually("the second at south", seconds: 60) { try await updates(south)[second]?.state == "proven" }
        for signature in [id, second] {
            let withdrawn = try await north.command("withdraw", "--reason", "a mistake", signature)
            #expect(withdrawn.status == 0, "\(withdrawn.errors)")
        }
        try await eventually("the second ends at south", seconds: 60) { try await updates(south)[second]?.state == "expired" }
        #expect(try await updates(south)[id]?.state == "proven")

        // From then on nothing more.
        let ended = try await south.command("peer-without", "--site", "north")
        #expect(ended.status == 0, "\(ended.errors)")
        expectFailure(try await south.command("peer-without", "--site", "north"), "peer-not-read")
        expectFailure(try await south.command("peer-without", "--site", "../north"), "name-invalid")
    }

    @Test func `a site is told nothing where that is not set, nor once it is revoked`() async throws {
        let (north, closed) = (try await site(), try await Center())
        try await closed.serve()
        let refused = try await read(north, "north", of: closed, "closed")
        expectFailure(refused, "not-served-here")

        let south = try await site()
        let made = try await read(south, "south", of: north, "north")
        try #require(made.status == 0, "\(made.errors)")
        let revoked = try await north.command("revoke", "--site", "south")
        #expect(revoked.status == 0, "\(revoked.errors)")
        let server = try #require(south.server)
        try await eventually("word of it at south", seconds: 60) { server.errors.contains("[revoked]") }
        let host = try Host()
        try await host.enroll(at: north)
        try await host.attack()
        try await eventually("north's update") { try await updates(north).count == 1 }
        try await Task.sleep(for: .seconds(2))
        #expect(try await updates(south).isEmpty)
    }
}
