// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// A real Suricata with a rules file for a center, on loopback or inline between two interfaces.
final class Suricata {
    struct Alert: Decodable {
        struct Rule: Decodable { var signature_id: UInt32 }

        var event_type: String
        var alert: Rule?
    }

    let folder: TemporaryFolder
    private let namespace: Namespace?
    private var process: RunningProcess?
    /// On loopback by libpcap: AF_PACKET's ring can lose step there, and then a reload hangs.
    private let capture: String

    /// - Parameter inline: two interfaces that it copies packets between.
    init(inline: (String, String)? = nil, within namespace: Namespace? = nil) throws {
        try #require(getuid() == 0, "Suricata reads an interface in this test: run it as root")
        self.namespace = namespace
        capture = inline == nil ? "--pcap=lo" : "--af-packet"
        folder = try TemporaryFolder()
        let cluster = Int.random(in: 1...30000) * 2
        let interfaces: String
        if let (one, other) = inline {
            interfaces = """
                  - {interface: \(one), copy-iface: \(other), copy-mode: ips, threads: 1, cluster-id: \(cluster), cluster-type: cluster_flow, defrag: no, use-mmap: yes}
                  - {interface: \(other), copy-iface: \(one), copy-mode: ips, threads: 1, cluster-id: \(cluster + 1), cluster-type: cluster_flow, defrag: no, use-mmap: yes}
                """
        } else {
            interfaces = "  - {interface: lo}"
        }
        let configuration = """
            %YAML 1.1
            ---
            default-rule-path: \(folder.path)
            rule-files: [epitope.rules]
            stats: {enabled: no}
            outputs:
              - eve-log: {enabled: yes, filename: eve.json, types: [alert, {drop: {alerts: yes, flows: all}}]}
            unix-command: {enabled: yes, filename: \(socket)}
            app-layer: {protocols: {}}
            \(inline == nil ? "pcap" : "af-packet"):
            \(interfaces)

            """
        try configuration.write(toFile: "\(folder.path)/s.yaml", atomically: true, encoding: .utf8)
        try "".write(toFile: rulesFile, atomically: true, encoding: .utf8)
    }

    var socket: String { "\(folder.path)/s.sock" }
    var rulesFile: String { "\(folder.path)/epitope.rules" }
    /// For `local-center serve`.
    var options: [String] { ["--suricata-socket", socket, "--suricata-rules", rulesFile] }
    var rules: String { (try? String(contentsOfFile: rulesFile, encoding: .utf8)) ?? "" }

    func start(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let words = ["/usr/bin/suricata", "-c", "\(folder.path)/s.yaml", capture, "-l", folder.path]
        let process = try RunningProcess(namespace?.inside(words) ?? words)
        self.process = process
        let (fileID, line) = (sourceLocation.fileID, sourceLocation.line)
        try await eventually("Suricata's start", seconds: 60, fileID: fileID, line: line) {
            if process.hasEnded {
                throw NeverCame(what: "Suricata's start: \(process.output)\(process.errors)", fileID: fileID, line: line)
            }
            return try await ask("uptime").status == 0 && process.output.contains("Engine started")
        }
    }

    func stop() async throws {
        try await process?.end()
        process = nil
    }

    /// How many rules Suricata itself says are active.
    func loaded() async throws -> Int? {
        let answer = try await ask("ruleset-stats").output
        return answer.firstMatch(of: /"rules_loaded": *(\d+)/).flatMap { Int($0.1) }
    }

    /// The EVE events of a type: each one's sid.
    func events(_ type: String) -> [UInt32] {
        let eve = (try? String(contentsOfFile: "\(folder.path)/eve.json", encoding: .utf8)) ?? ""
        return eve.split(separator: "\n").compactMap {
            guard let event = try? JSONDecoder().decode(Alert.self, from: Data($0.utf8)), event.event_type == type else { return nil }
            return event.alert?.signature_id
        }
    }

    private func ask(_ command: String) async throws -> Command {
        try await Command.run("/usr/bin/suricatasc", ["-c", command, socket], seconds: 20)
    }
}
