// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Suricata over one capture, once.
public enum SuricataReading {
    /// That a rule fired on a packet.
    public struct Alert: Hashable, Sendable {
        /// The rule's number.
        public var rule: Int
        /// Of the packet, at both ends.
        public var ports: Set<Int>
    }

    private struct Failure: Error {
        var output: String
    }

    /// The numbers of the rules that fired, by Suricata's defaults as without a configuration file.
    public static func alerts(on capture: [UInt8], rules: String) async throws -> Set<Int> {
        Set(try await fired(on: capture, rules: rules).map(\.rule))
    }

    /// Which rules fired, and in which flows.
    ///
    /// - Parameters:
    ///   - configuration: what Suricata is set to, beside its outputs.
    ///   - isInline: whether it looks at streams as it does where it can drop packets.
    ///   - checksChecksums: whether packets with wrong checksums are left out, as on a live interface, instead of guessing from the
    ///     capture whether a network card makes them; or none are.
    public static func fired(
        on capture: [UInt8], rules: String, configuration: String = "%YAML 1.1\n---\n", isInline: Bool = false,
        checksChecksums: Bool = true
    ) async throws -> Set<Alert> {
        let folder = try TemporaryFolder()
        func path(_ name: String) -> String { "\(folder.path)/\(name)" }
        try Data(capture).write(to: URL(fileURLWithPath: path("traffic.pcap")))
        try Data(rules.utf8).write(to: URL(fileURLWithPath: path("all.rules")))
        try Data((configuration + outputs(checksChecksums)).utf8).write(to: URL(fileURLWithPath: path("suricata.yaml")))
        let words = [
            "suricata", "-c", path("suricata.yaml"), "-r", path("traffic.pcap"), "-S", path("all.rules"), "-l", folder.path, "--runmode",
            "single",
        ]
        let ran = try await Command.run(
            "/usr/bin/env", words + (checksChecksums ? [] : ["-k", "none"]) + (isInline ? ["--simulate-ips"] : []), seconds: 300)
        guard ran.status == 0 else { throw Failure(output: ran.errors) }
        return Set(try folder.read("eve.json").split(separator: "\n").compactMap(alert))
    }

    private static func outputs(_ checksChecksums: Bool) -> String {
        """
        stats:
          enabled: no
        outputs:
          - eve-log:
              enabled: yes
              filename: eve.json
              types: [alert]
        packet-alert-max: 255
        pcap-file:
          checksum-checks: \(checksChecksums ? "yes" : "no")

        """
    }

    /// An alert, as a line of Suricata's log.
    private struct Event: Decodable {
        struct Alert: Decodable {
            var signature_id: Int
        }

        var alert: Alert
        var src_port: Int?
        var dest_port: Int?
    }

    private static func alert(_ line: Substring) -> Alert? {
        guard let event = try? JSONDecoder().decode(Event.self, from: Data(line.utf8)) else { return nil }
        return Alert(rule: event.alert.signature_id, ports: Set([event.src_port, event.dest_port].compactMap { $0 }))
    }
}
