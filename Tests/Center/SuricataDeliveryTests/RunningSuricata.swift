// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Glibc
import Rendering
import Signatures
import Testing

@testable import SuricataDelivery

/// A real Suricata on the loopback interface, in a folder of its own, that the test ends. Needs root and Suricata 7
/// (Scripts/install-dependencies test); without them the test fails.
final class RunningSuricata {
    let folder: String
    private var process: pid_t?
    var settings: SuricataSettings {
        SuricataSettings(socketPath: "\(folder)/s.sock", rulesFile: "\(folder)/epitope.rules", reloadTimeout: 30)
    }
    var otherRules: String { "\(folder)/other.rules" }

    /// - Parameter linked: whether it lists a link to the rules file: it knows the file by another path.
    init(listed: Bool = true, linked: Bool = false) throws {
        folder = "/tmp/epitope-test-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try configure(listed: listed ? linked ? "link.rules" : "epitope.rules" : nil)
        if linked { try FileManager.default.createSymbolicLink(atPath: "\(folder)/link.rules", withDestinationPath: "epitope.rules") }
        try "".write(toFile: settings.rulesFile, atomically: true, encoding: .utf8)
        try "alert icmp any any -> any any (msg:\"other\"; itype:200; sid:1; rev:1;)\n".write(
            toFile: otherRules, atomically: true, encoding: .utf8)
    }

    /// Writes its configuration.
    ///
    /// - Parameter file: the rules file that it lists beside the other one.
    func configure(listed file: String?) throws {
        let list = file.map { "\n  - \($0)" } ?? ""
        let configuration = """
            %YAML 1.1
            ---
            default-rule-path: \(folder)
            rule-files:
              - other.rules\(list)
            stats:
              enabled: no
            outputs:
              - eve-log:
                  enabled: yes
                  filename: eve.json
                  types:
                    - alert
            pcap:
              - interface: lo
            unix-command:
              enabled: yes
              filename: \(folder)/s.sock

            """
        try configuration.write(toFile: "\(folder)/s.yaml", atomically: true, encoding: .utf8)
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    func start(_ more: [String] = []) throws {
        let process = try SuricataProcess.start(command(["--pcap=lo"] + more), output: "\(folder)/output")
        self.process = process
        let deadline = Date().addingTimeInterval(60)
        while (try? CommandSocket(path: settings.socketPath, within: 10)) == nil {
            try #require(waitpid(process, nil, WNOHANG) == 0 && Date() < deadline, "Suricata did not start: \(output)")
            usleep(20_000)
        }
    }

    func stop() {
        guard let process else { return }
        kill(process, SIGTERM)
        waitpid(process, nil, 0)
        self.process = nil
    }

    /// Has a Suricata of its own read a capture file with the rules as they lie in the file.
    ///
    /// - Returns: the alerts of its EVE log, one JSON object a line.
    func alerts(in capture: [UInt8]) throws -> [String] {
        try Data(capture).write(to: URL(fileURLWithPath: "\(folder)/capture.pcap"))
        let status = try SuricataProcess.run(
            command(["-r", "\(folder)/capture.pcap", "-k", "none"]), output: "\(folder)/output", within: 60)
        try #require(status == 0, "Suricata did not read the capture: \(output)")
        return try String(contentsOfFile: "\(folder)/eve.json", encoding: .utf8).split(separator: "\n").map(String.init)
    }

    private var output: String { (try? String(contentsOfFile: "\(folder)/output", encoding: .utf8)) ?? "" }

    private func command(_ arguments: [String]) -> [String] {
        [settings.binaryPath, "-c", "\(folder)/s.yaml", "-l", folder] + arguments
    }
}

/// An update of a UDP service on port 1434.
func update(
    _ sid: UInt32, _ tokens: [Signature.Token], revision: Int = 1,
    context: SignatureContext = .init(transport: .udp, ports: [1434], direction: .toService)
) -> RuleAssignment {
    RuleAssignment(
        sid: sid,
        update: SignatureUpdate(
            signature: Signature(tokens: tokens, context: context), revision: revision, origin: .site,
            createdMilliseconds: 1_700_000_000_000, lifetimeDays: 90, proof: Proof(checks: [])))
}
