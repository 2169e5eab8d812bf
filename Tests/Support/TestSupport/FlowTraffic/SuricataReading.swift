// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Suricata over one capture, once.
public enum SuricataReading {
    /// Suricata's defaults, as without a configuration file; with wrong checksums left out as on a live interface, instead of
    /// guessing from the capture whether a network card makes them.
    private static let configuration = """
        %YAML 1.1
        ---
        stats:
          enabled: no
        outputs:
          - eve-log:
              enabled: yes
              filename: eve.json
              types: [alert]
        pcap-file:
          checksum-checks: yes
        """

    private struct Failure: Error {
        var output: String
    }

    /// The numbers of the rules that fired.
    public static func alerts(on capture: [UInt8], rules: String) async throws -> Set<Int> {
        let folder = try TemporaryFolder()
        func path(_ name: String) -> String { "\(folder.path)/\(name)" }
        try Data(capture).write(to: URL(fileURLWithPath: path("traffic.pcap")))
        try Data(rules.utf8).write(to: URL(fileURLWithPath: path("all.rules")))
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: path("suricata.yaml")))
        let words = [
            "suricata", "-c", path("suricata.yaml"), "-r", path("traffic.pcap"), "-S", path("all.rules"), "-l", folder.path, "--runmode",
            "single",
        ]
        let ran = try await Command.run("/usr/bin/env", words, seconds: 300)
        guard ran.status == 0 else { throw Failure(output: ran.errors) }
        return Set(try folder.read("eve.json").split(separator: "\n").compactMap(signature))
    }

    /// An alert, as a line of Suricata's log.
    private struct Event: Decodable {
        struct Alert: Decodable {
            var signature_id: Int
        }

        var alert: Alert
    }

    private static func signature(_ line: Substring) -> Int? {
        try? JSONDecoder().decode(Event.self, from: Data(line.utf8)).alert.signature_id
    }
}
