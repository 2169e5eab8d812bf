import Foundation
import Testing
import TestSupport

/// Ordinary programs do ordinary work under `epitope run`: same output, same exit status, no alarm.
@Suite(.serialized) struct FalseAlarmTests {
    @Test(arguments: [
        "pipeline", "python3", "perl", "node", "java", "git", "curl", "nginx", "redis-server", "sshd", "go",
    ])
    func ordinaryWorkIsLeftAlone(workload: String) async throws {
        let folder = try TemporaryFolder()
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Fixtures/Workloads/\(workload).sh").standardizedFileURL.path
        let environment = ["EPITOPE_GO_CACHE": try folder.makeFolder("go-cache")]

        let bare = try await Command.run(
            "/bin/bash", [script, try folder.makeFolder("bare")], environment: environment)
        #expect(bare.status == 0, "bare: \(bare.errors)")
        #expect(!bare.output.isEmpty)

        let state = try folder.makeFolder("state")
        let watched = try await Command.run(
            Command.built("epitope"),
            ["run", "--state", state, "--", "/bin/bash", script, try folder.makeFolder("watched")],
            environment: environment)
        #expect(watched.status == 0, "watched: \(watched.errors)")
        #expect(watched.output == bare.output)
        #expect(watched.errors == bare.errors)
        let events = FileManager.default.contents(atPath: "\(state)/events.jsonl") ?? Data()
        #expect(String(decoding: events, as: UTF8.self) == "")
    }
}
