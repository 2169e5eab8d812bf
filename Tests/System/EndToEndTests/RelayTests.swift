// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Hosts that have no way to a center reach it by a relay.
@Suite(.serialized) struct RelayTests {
    /// A host, a relay and a center, each in a namespace of its own: host and relay have a network in common, relay and center another.
    private struct Networks {
        static let (host, inner, outer, center) = ("10.78.1.2", "10.78.1.1", "10.78.2.1", "10.78.2.2")
        let hosts: Namespace
        let relays: Namespace
        let centers: Namespace

        init() async throws {
            let setup = "ip link set lo up"
            hosts = try await Namespace(["--net"], setup: setup)
            relays = try await Namespace(["--net"], setup: setup)
            centers = try await Namespace(["--net"], setup: setup)
            try await Self.wire(hosts, "relay0", Self.host, relays, "hosts0", Self.inner)
            try await Self.wire(relays, "center0", Self.outer, centers, "relay0", Self.center)
        }

        private static func wire(_ one: Namespace, _ name: String, _ address: String, _ other: Namespace, _ peer: String, _ at: String)
            async throws
        {
            let made = try await Command.run(
                "/usr/sbin/ip",
                ["link", "add", name, "netns", "\(one.identifier)", "type", "veth", "peer", "name", peer, "netns", "\(other.identifier)"])
            try #require(made.status == 0, "\(made.errors)")
            for (end, device, address) in [(one, name, address), (other, peer, at)] {
                try await end.run(["/usr/sbin/ip", "address", "add", "\(address)/24", "dev", device])
                try await end.run(["/usr/sbin/ip", "link", "set", device, "up"])
            }
        }

        func relay(to center: Center, _ more: [String] = []) async throws -> (process: RunningProcess, address: String) {
            let words = try [Command.built("epitope"), "relay", "--listen", "\(Self.inner):0", "--center", center.url] + more
            let relay = try RunningProcess(relays.inside(words))
            let line = try await relay.line(with: "relay listening on")
            return (relay, "\(Self.inner):\(try #require(line.split(separator: ":").last))")
        }
    }

    private struct Peer: Decodable {
        var name: String
        var address: String?
    }

    private func addresses(_ center: Center) async throws -> [String: String] {
        let peers = try JSONDecoder().decode([Peer].self, from: Data(try await center.command("peers", "--json").output.utf8))
        return Dictionary(uniqueKeysWithValues: peers.compactMap { peer in peer.address.map { (peer.name, $0) } })
    }

    private func enroll(_ host: Host, at center: Center, by relay: String) async throws -> Command {
        try await host.enroll(at: center.url, token: try await center.token(host.name), ["--relay", relay])
    }

    @Test(.enabled(if: getuid() == 0, "makes network namespaces"))
    func `a host without a route to its center enrols and reports by a relay`() async throws {
        let networks = try await Networks()
        let center = try await Center(address: Networks.center, within: networks.centers)
        try await center.serve()
        let host = try Host(within: networks.hosts)
        let token = try await center.token(host.name)
        expectFailure(try await host.enroll(at: center.url, token: token), "center-unreachable")

        let relay = try await networks.relay(to: center)
        let enrolled = try await host.enroll(at: center.url, token: token, ["--relay", relay.address])
        #expect(
            enrolled.status == 0 && enrolled.output.contains("by the relay at \(relay.address)"), "\(enrolled.output)\(enrolled.errors)")
        try await host.attack()
        let packet = try #require(host.events("sent").first?.packet)
        #expect(try await center.events("stored").map(\.subject) == [packet])
        // All hosts of a relay are one machine to a center that doesn't take its word.
        try await eventually("the host was seen") { try await addresses(center)[host.name] == Networks.outer }

        // While the relay is away packets wait, and its name is told.
        try await relay.process.end()
        #expect(relay.process.errors.contains("connections passed on"), "\(relay.process.errors)")
        let run = try await host.run("call-series", ["1", "0", "9555"])
        #expect(host.events("unreachable").last?.message?.contains("by the relay at \(relay.address)") == true, "\(run.errors)")
        let port = try #require(relay.address.split(separator: ":").last)
        let again = try RunningProcess(
            networks.relays.inside([
                Command.built("epitope"), "relay", "--listen", "\(Networks.inner):\(port)", "--center", center.url,
            ]))
        try await again.line(with: "relay listening on")
        try await host.run("call-stub", ["bench", "1", "9"])
        #expect(host.events("sent").count == 2)
        try await again.end()

        // A relay that leads elsewhere leads there alone.
        let elsewhere = try RunningProcess(
            networks.relays.inside([
                Command.built("epitope"), "relay", "--listen", "\(Networks.inner):\(port)", "--center", "https://\(Networks.center):1",
            ]))
        try await elsewhere.line(with: "relay listening on")
        try await host.run("call-series", ["2", "0", "9555"])
        #expect(host.events("unreachable").last?.code == "center-unreachable")
        #expect(try await center.events("stored").count == 2)
    }

    @Test(.enabled(if: getuid() == 0, "makes network namespaces"))
    func `a center takes a host's address from a relay that its settings name, and from no other`() async throws {
        let networks = try await Networks()
        let center = try await Center(address: Networks.center, within: networks.centers)
        let trusting = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: trusting.path + "/d", withIntermediateDirectories: true)
        try Data("relays: [\"\(Networks.outer)\"]\n".utf8).write(to: URL(filePath: trusting.path + "/d/relays.yaml"))

        // One that tells, to a center that doesn't ask for it: its words are no handshake.
        try await center.serve()
        let telling = try await networks.relay(to: center, ["--tell-addresses"])
        let host = try Host(within: networks.hosts)
        let refused = try await enroll(host, at: center, by: telling.address)
        #expect(refused.status == 1 && refused.errors.contains("[center-"), "\(refused.errors)")
        try await center.stop()

        try await center.serve(["--config-folder", trusting.path + "/d"])
        let enrolled = try await enroll(host, at: center, by: telling.address)
        try #require(enrolled.status == 0, "\(enrolled.errors)")
        try await host.attack()
        #expect(try await center.events("stored").count == 1)
        try await eventually("the host's own address") { try await addresses(center)[host.name] == Networks.host }
        // A second address of the hosts' network is another machine: what both say is corroborated.
        try await networks.hosts.run(["/usr/sbin/ip", "address", "add", "10.78.1.3/24", "dev", "relay0"])
        try await networks.hosts.run(["/usr/sbin/ip", "route", "change", "10.78.1.0/24", "dev", "relay0", "src", "10.78.1.3"])
        let other = try Host("host-2", within: networks.hosts)
        let second = try await enroll(other, at: center, by: telling.address)
        try #require(second.status == 0, "\(second.errors)")
        try await other.attack()
        try await eventually("the second host's address") { try await addresses(center)[other.name] == "10.78.1.3" }

        // One that doesn't tell is not served at all: all its hosts would be one, and nobody would know.
        let silent = try await networks.relay(to: center)
        let third = try Host("host-3", within: networks.hosts)
        let unserved = try await enroll(third, at: center, by: silent.address)
        #expect(unserved.status == 1 && unserved.errors.contains("[center-unreachable]"), "\(unserved.errors)")
    }

    /// The relay, or whoever took its place, leads to another center at the same address.
    @Test func `behind a relay an impostor of the center gets nothing`() async throws {
        let center = try await Center()
        try await center.serve()
        let relay = try RunningProcess([
            Command.built("epitope"), "relay", "--listen", "127.0.0.1:0", "--center", center.url,
        ])
        let address = "127.0.0.1:\(try #require(try await relay.line(with: "relay listening on").split(separator: ":").last))"
        let host = try Host()
        let enrolled = try await enroll(host, at: center, by: address)
        try #require(enrolled.status == 0, "\(enrolled.errors)")
        try await center.stop()
        let port = try #require(center.url.split(separator: ":").last)
        let impostor = try await Center()
        try await impostor.serve(["--listen", "127.0.0.1:\(port)"])
        try await host.attack()
        #expect(host.events("unreachable").first?.code == "center-wrong")
        #expect(try await impostor.events("stored").isEmpty)
        let other = try Host("host-2")
        expectFailure(
            try await other.enroll(at: center.url, token: try await center.token(other.name), ["--relay", address]), "authority-mismatch")
        try await impostor.stop()
        try await center.serve()
        try await host.run("call-stub", ["bench", "1", "9"])
        #expect(host.events("sent").count == 1)
    }

    @Test func `a relay's options are checked`() async throws {
        let wrong = try await epitope(["relay", "--center", "center.example"])
        expectFailure(wrong, "center-address-malformed")
        expectFailure(try await epitope(["relay", "--center", "https://center.example", "--allow", "everybody"]), "relay-malformed")
        let options = try await epitope(["relay", "--center", "https://center.example", "--idle-seconds", "1"])
        #expect(options.status == 64 && options.errors.contains("--idle-seconds"), "\(options.errors)")
        let host = try Host()
        expectFailure(try await host.enroll(at: "https://127.0.0.1:1", token: "x", ["--relay", "http://relay"]), "relay-malformed")
    }
}
