// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import PacketCoding
import TestSupport
import Testing

/// The rules that come of attacks on servers, however these hold their sockets: a real Suricata decides whether they match a
/// further attack. `served-stub` makes one inert call, which `epitope run` denies.
@Suite(
    .serialized, .enabled(if: access("/usr/bin/suricata", X_OK) == 0, "Suricata is not installed: Scripts/install-dependencies test"))
struct ServedTrafficTests {
    /// How a server holds its sockets, and what its rules must say of the ports, from the first one on.
    struct Case: Sendable, CustomStringConvertible {
        var mode: String
        /// The header of each rule: protocol, source ports, destination ports, flow.
        var headers: @Sendable (Int) -> [String]
        /// Further attacks that are to be found.
        var attacks: @Sendable (Int, [UInt8]) -> [[[UInt8]]]

        var description: String { mode }

        static func toService(_ ports: ClosedRange<Int>) -> String {
            "tcp any any -> any [\(ports.map(String.init).joined(separator: ","))] to_server"
        }

        static let all = [
            Case(mode: "fork", headers: { [toService($0...$0)] }, attacks: { [toServer($0, $1)] }),
            Case(mode: "gone", headers: { [toService($0...$0)] }, attacks: { [toServer($0, $1)] }),
            Case(mode: "inherited", headers: { [toService($0...$0)] }, attacks: { [toServer($0, $1)] }),
            Case(
                mode: "both", headers: { [toService($0...$0), "udp any any -> any [\($0)] "] },
                attacks: { [toServer($0, $1), [datagram($0, $1)]] }),
            Case(
                mode: "many", headers: { [toService($0...$0 + 15), toService($0 + 16...$0 + 19)] },
                attacks: { [toServer($0, $1), toServer($0 + 18, $1)] }),
            Case(
                mode: "outgoing", headers: { [toService($0...$0), "tcp any [\($0 + 1)] -> any any to_client"] },
                attacks: { [toServer($0, $1), fromServer($0 + 1, $1)] }),
        ]

        static func toServer(_ port: Int, _ bytes: [UInt8]) -> [[UInt8]] {
            NetworkFrame.connection(from: (77, 51_234), to: (2, UInt16(port)), bytes, segment: 1400)
        }

        static func datagram(_ port: Int, _ bytes: [UInt8]) -> [UInt8] {
            NetworkFrame.ipv4(77, 2, inside: 17, NetworkFrame.udpDatagram(from: 51_234, to: UInt16(port), Array(bytes.prefix(1400))))
        }

        /// A connection in which the server sends.
        static func fromServer(_ port: Int, _ bytes: [UInt8]) -> [[UInt8]] {
            let (client, server) = ((host: UInt8(2), port: UInt16(51_235)), (host: UInt8(88), port: UInt16(port)))
            let data = Array(bytes.prefix(1400))
            return [
                NetworkFrame.tcp(from: client, to: server, sequence: 0, flags: .syn),
                NetworkFrame.tcp(from: server, to: client, sequence: 0, acknowledged: 1, flags: [.syn, .ack]),
                NetworkFrame.tcp(from: client, to: server, sequence: 1, acknowledged: 1),
                NetworkFrame.tcp(from: server, to: client, sequence: 1, acknowledged: 1, data),
                NetworkFrame.tcp(from: client, to: server, sequence: 1, acknowledged: UInt32(1 + data.count)),
                NetworkFrame.tcp(
                    from: server, to: client, sequence: UInt32(1 + data.count), acknowledged: 1, flags: [.fin, .ack]),
                NetworkFrame.tcp(
                    from: client, to: server, sequence: 1, acknowledged: UInt32(2 + data.count), flags: [.fin, .ack]),
            ]
        }
    }

    @Test(arguments: Case.all) func `rules match further attacks on the same service`(served: Case) async throws {
        let (center, host) = try await makeSite()
        let port = Int.random(in: 20_000...29_000)
        let ran = try await attack(served.mode, port: port, host)
        #expect(ran.output.contains("result -1 errno 1"), "\(ran.output)\(ran.errors)")
        let event = try #require(try await center.events("stored").first)
        let folder = try TemporaryFolder()
        let shown = try await center.command("show", "--json", event.subject)
        try shown.output.write(toFile: "\(folder.path)/packet.json", atomically: true, encoding: .utf8)
        let made = try await epitope(["extract", "\(folder.path)/packet.json", "-o", "suricata"])
        #expect(made.status == 0, "\(made.errors)")
        let rules = made.output.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
        #expect(rules.map(Self.header) == served.headers(port), "\(shown.output)")

        guard case .code(let code) = try ExtractedPacket(json: shown.output).content else {
            Issue.record("the packet holds no code: \(shown.output)")
            return
        }
        let bytes = [UInt8](repeating: 0x2e, count: 50) + code.bytes.prefix(200)
        for attack in served.attacks(port, bytes) {
            #expect(try await alerts(made.output, attack, folder.path) == 1)
        }
        #expect(try await alerts(made.output, Case.toServer(port + 100, bytes), folder.path) == 0, "another service")
    }

    /// Runs the server, and where it takes no connections itself, a manager that does.
    private func attack(_ mode: String, port: Int, _ host: Host) async throws -> Command {
        guard mode == "inherited" else { return try await host.run("served-stub", [mode, "\(port)"]) }
        let command = try [Command.built("epitope"), "run", "--state", host.state, "--", Command.built("served-stub"), mode, "0"]
        return try await Command.run("/usr/bin/python3", ["-c", Self.manager, "\(port)"] + command)
    }

    /// What systemd does for `Accept=yes` with `StandardInput=socket`, and inetd for `nowait`: it keeps the listening socket, and
    /// starts a program for each connection. Its thread plays the client.
    private static let manager = """
        import socket, subprocess, sys, threading
        listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
        def client():
            with socket.create_connection(listener.getsockname()) as connection:
                connection.sendall(b"x")
                connection.recv(1)
        threading.Thread(target=client, daemon=True).start()
        connection, _ = listener.accept()
        sys.exit(subprocess.run(sys.argv[2:], stdin=connection.fileno()).returncode)
        """

    /// Without its action: protocol, ports, and the side that sent.
    private static func header(_ rule: String) -> String {
        let header = rule.prefix { $0 != "(" }.split(separator: " ").dropFirst().joined(separator: " ")
        let flow = rule.firstMatch(of: /flow:established,(\w+)/).map { String($0.1) } ?? ""
        return "\(header) \(flow)"
    }

    /// How many alerts Suricata raises over a capture.
    private func alerts(_ rules: String, _ frames: [[UInt8]], _ folder: String) async throws -> Int {
        let logs = "\(folder)/\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: false)
        try rules.write(toFile: "\(logs)/rules", atomically: true, encoding: .utf8)
        try Data(NetworkFrame.capture(frames, link: 101)).write(to: URL(filePath: "\(logs)/pcap"))
        let configuration = """
            %YAML 1.1
            ---
            stats: {enabled: no}
            outputs:
              - eve-log: {enabled: yes, filename: eve.json, types: [alert]}

            """
        try configuration.write(toFile: "\(logs)/s.yaml", atomically: true, encoding: .utf8)
        let run = try await Command.run(
            "/usr/bin/suricata",
            ["-c", "\(logs)/s.yaml", "-S", "\(logs)/rules", "-r", "\(logs)/pcap", "-l", logs, "-k", "none", "--runmode", "single"])
        try #require(run.status == 0, "\(run.output)\(run.errors)")
        let eve = try String(contentsOfFile: "\(logs)/eve.json", encoding: .utf8)
        return Set(eve.split(separator: "\n").compactMap { $0.firstMatch(of: /"signature_id":(\d+)/).map { String($0.1) } }).count
    }
}
