// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// A center as Prometheus and an operator see it.
@Suite(.serialized) struct MonitoringTests {
    private struct Answer {
        var status: Int
        var body: String

        /// The codes of why the center is not ready.
        var reasons: [String] { codes("reasons") }
        var degraded: [String] { codes("degraded") }

        private func codes(_ key: String) -> [String] {
            let object = (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any]
            return (object?[key] as? [[String: String]] ?? []).compactMap { $0["code"] }
        }

        /// The value of a metric with exactly these labels; `nil`: it isn't there.
        func value(_ metric: String) -> Double? {
            body.split(separator: "\n").first { $0.hasPrefix(metric + " ") }.flatMap { Double($0.dropFirst(metric.count + 1)) }
        }
    }

    private static let promtool: String? = ["/usr/bin/promtool", "/usr/local/bin/promtool"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }
    private static let withoutPromtool: Comment = "promtool is not installed: Scripts/install-dependencies test"

    private let folder: TemporaryFolder
    private var socket: String { "\(folder.path)/metrics.socket" }

    init() throws { folder = try TemporaryFolder() }

    private func get(_ path: String, seconds: Int = 10) async throws -> Answer {
        let asked = try await Command.run(
            "/usr/bin/curl",
            ["-s", "-m", "\(seconds)", "-w", "\n%{http_code}", "--unix-socket", socket, "http://center\(path)"], seconds: 30)
        let end = asked.output.range(of: "\n", options: .backwards)
        return Answer(
            status: end.flatMap { Int(asked.output[$0.upperBound...]) } ?? 0,
            body: end.map { String(asked.output[..<$0.lowerBound]) } ?? asked.output)
    }

    private func ready(_ what: String, _ isWanted: (Answer) -> Bool) async throws {
        var last = Answer(status: 0, body: "")
        for _ in 0..<60 {
            last = try await get("/ready")
            if isWanted(last) { return }
            try await Task.sleep(for: .milliseconds(500))
        }
        Issue.record("\(what): \(last.status) \(last.body)")
    }

    @Test func `what is counted grows with what comes in, and promtool reads it`() async throws {
        let (center, host) = try await makeSite(serving: ["--metrics", socket])
        let before = try await get("/metrics")
        #expect(before.status == 200)
        #expect(before.value(#"epitope_center_messages_received_total{kind="packet"}"#) == 0)
        #expect(before.value(#"epitope_center_certificates_issued_total{for="enrolment"}"#) == 1)
        #expect(before.value("epitope_center_ready") == 1, "\(before.body)")
        let refused = try await Host("host-2").enroll(at: center.url, token: center.token("host-2") + "x")
        #expect(refused.status != 0)
        try await host.attacks(2)
        try await ready("a center without Suricata is ready") { $0.status == 200 && $0.reasons.isEmpty }
        var after = before
        for _ in 0..<60 where after.value("epitope_center_reports_analysed_total") != 2 {
            try await Task.sleep(for: .milliseconds(500))
            after = try await get("/metrics")
        }
        #expect(after.value(#"epitope_center_messages_received_total{kind="packet"}"#) == 2)
        #expect(after.value(#"epitope_center_messages_acknowledged_total{kind="packet",was="new"}"#) == 2)
        #expect(after.value(#"epitope_center_events_total{step="stored"}"#) == 2)
        #expect(after.value("epitope_center_reports_waiting") == 0)
        #expect((after.value("epitope_center_clusters") ?? 0) >= 1)
        #expect((after.value("epitope_center_message_bytes_total") ?? 0) > 200)
        #expect((after.value("epitope_center_store_disk_free_bytes") ?? 0) > 0)
        #expect(
            (after.value(#"epitope_center_certificate_expiry_timestamp_seconds{certificate="server"}"#) ?? 0) > Date().timeIntervalSince1970
        )
        #expect(try await get("/live").status == 200)
        #expect(try await get("/other").status == 404)
        guard let promtool = Self.promtool else { return print("not checked by promtool: \(Self.withoutPromtool)") }
        let file = "\(folder.path)/metrics.txt"
        try Data(after.body.utf8).write(to: URL(filePath: file))
        let checked = try await Command.run("/bin/sh", ["-c", "\(promtool) check metrics < \(file)"])
        #expect(checked.status == 0 && checked.errors.isEmpty, "\(checked.output)\(checked.errors)")
        try await center.stop()
    }

    @Test func `a Suricata that is not there makes the center not ready, and one that comes ready again`() async throws {
        let center = try await Center()
        try await center.serve([
            "--metrics", socket, "--suricata-socket", "\(folder.path)/command.socket", "--suricata-rules", "\(folder.path)/epitope.rules",
        ])
        try await ready("Suricata is missed") { $0.status == 503 && $0.reasons == ["suricata-lost"] }
        let metrics = try await get("/metrics")
        #expect(metrics.value(#"epitope_center_condition{code="suricata-lost"}"#) == 1)
        #expect(metrics.value("epitope_center_ready") == 0)
        #expect(try await get("/live").status == 200)
        try await center.stop()
    }

    @Test func `a full disk makes the center not ready until there is room`() async throws {
        let state = try folder.makeFolder("state")
        let disk = try await Namespace(["--mount"], setup: "mount -t tmpfs -o size=16m epitope-test \(state)")
        let center = try await Center(state: state, within: disk)
        try await center.serve(["--metrics", socket])
        try await ready("there is room") { $0.status == 200 }
        try await disk.run(["/bin/sh", "-c", "dd if=/dev/zero of=\(state)/fill bs=4096 2>/dev/null || true"])
        try await ready("the disk is full") { $0.status == 503 && $0.reasons == ["disk-full"] }
        #expect(try await get("/live").status == 200)
        try await disk.run(["/bin/rm", "\(state)/fill"])
        try await ready("there is room again") { $0.status == 200 }
        try await center.stop()
    }

    @Test func `who asks slowly, and many who ask, are in nobody's way`() async throws {
        let (center, host) = try await makeSite(serving: ["--metrics", socket])
        // Each takes a place and says nothing, or half a request.
        let slow = try (0..<40).map { number in
            try RunningProcess([
                "/usr/bin/python3", "-c",
                """
                import socket, sys, time
                s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
                try: s.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n" if \(number) % 2 else b"")
                except OSError: pass
                print("connected", flush=True); time.sleep(60)
                """, socket,
            ])
        }
        for process in slow { _ = try await process.line(with: "connected") }
        let began = ContinuousClock.now
        try await host.attacks(2)
        #expect(host.events("sent").count == 2, "\(host.events.map(\.event))")
        #expect(ContinuousClock.now - began < .seconds(30))
        // Their time is over by itself.
        try await ready("the slow ones are turned away") { $0.status == 200 }
        #expect((try await get("/metrics").value(#"epitope_center_lost_total{what="scrapes-turned-away"}"#) ?? 0) >= 24)
        for process in slow { try await process.end(SIGKILL) }
        try await center.stop()
    }

    @Test func `an address that others reach has to be meant`() async throws {
        let center = try await Center()
        for format in ["text", "json"] {
            let refused = try await center.command("serve", "--listen", "127.0.0.1:0", "--metrics", "0.0.0.0:0", "--log-format", format)
            #expect(refused.status == 1 && refused.errors.contains("metrics-exposed"), "\(refused.errors)")
            if format == "json" { try expectJSONLines(refused.errors) }
        }
    }

    @Test func `with JSON every line of the center is an object, the key process's, too`() async throws {
        let center = try await Center()
        try await center.serve(["--log-format", "json", "--metrics", "127.0.0.1:0"])
        let host = try Host()
        try await host.enroll(at: center)
        let refused = try await Host("host-2").enroll(at: center.url, token: "ept1-no-token")
        #expect(refused.status != 0)
        let server = try #require(center.server)
        try await center.stop()
        let said = server.output + server.errors
        try expectJSONLines(said)
        #expect(said.contains("\"label\":\"local-center-key\"") && said.contains("\"label\":\"local-center\""), "\(said)")
        #expect(said.contains("signed: enrolment of host host-1"))
    }

    private func expectJSONLines(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for line in text.split(separator: "\n") {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            for key in ["time", "level", "label", "message"] {
                #expect(object?[key] is String, "\(key): \(line)", sourceLocation: sourceLocation)
            }
            #expect(
                (object?["time"] as? String)?.contains(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) == true, "\(line)",
                sourceLocation: sourceLocation)
        }
    }

    @Test(.enabled(if: promtool != nil, withoutPromtool))
    func `promtool accepts the examples`() async throws {
        let promtool = try #require(Self.promtool)
        let examples = "\(PackageFolder.path)/Examples"
        for (what, file) in [("config", "prometheus.yml"), ("rules", "prometheus-alerts.yml")] {
            let checked = try await Command.run(promtool, ["check", what, "\(examples)/\(file)"])
            #expect(checked.status == 0, "\(checked.output)\(checked.errors)")
        }
    }
}
