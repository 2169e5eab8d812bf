import EpitopeModel
import Foundation
import KernelBackend
import Testing
import TestSupport

/// Ordinary programs do ordinary work while every process of the machine is watched: no report of any of them.
@Suite(.serialized, .enabled(if: Kernel.canLoad, Kernel.why)) struct OrdinaryWorkTests {
    /// What the other tests of this process run, under the name before and after an exec.
    static let stubs: Set<String> = ["call-stub", "true"]

    @Test(arguments: ["pipeline", "python3", "perl", "node", "java", "git", "curl", "nginx", "redis-server", "sshd"])
    func isLeftAlone(_ workload: String) async throws {
        let watch = try #require(Watch.shared)
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Fixtures/Workloads/\(workload).sh").standardizedFileURL.path()
        let folder = try TemporaryFolder()
        let before = watch.all.count
        let run = try await Command.run("/bin/bash", [script, try folder.makeFolder("work")])
        #expect(run.status == 0, "\(run.errors)")
        #expect(!run.output.isEmpty)
        try await Task.sleep(for: .milliseconds(200))
        let alarms = watch.all.dropFirst(before).filter { !Self.stubs.contains($0.process.name ?? "") }
        #expect(alarms.isEmpty, "\(alarms.map { "\($0.call) of \($0.process.name ?? "?"): \($0.evidence)" })")
    }
}
