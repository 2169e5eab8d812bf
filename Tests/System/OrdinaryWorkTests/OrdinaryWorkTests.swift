// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import HostPolicy
import KernelBackend
import KernelWatch
import TestSupport
import Testing

/// Ordinary programs do ordinary work while every process of the machine is watched: no report of any of them, but for
/// those that a shipped exclusion is for. In a process, and at a time, of their own: other tests make calls that are reported.
@Suite(.serialized, .enabled(if: Kernel.canLoad, Kernel.why)) struct OrdinaryWorkTests {
    /// What init's threads are called: it may be what starts programs here, and no part of the work.
    static let ofInit: Set<String> = {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/1/task")) ?? []
        return Set(
            threads.compactMap { try? KernelFile.text("/proc/1/task/\($0)/comm") }.map { String($0.dropLast()) })
    }()

    @Test(arguments: Workload.all) func `ordinary work under the agent raises no alarm but the known ones`(_ workload: Workload)
        async throws
    {
        let watch = try #require(Watch.shared)
        let folder = try TemporaryFolder()
        let before = (watch.all.count, watch.uninspectable.count)
        let run = try await workload.run(in: try folder.makeFolder("work"))
        if workload.isLeftOut(run) { return }
        #expect(run.status == 0, "\(run.errors)")
        #expect(!run.output.isEmpty)
        let alarms = try await watch.reports(after: before.0)
        let seen = Set(alarms.map { Workload.Alarm(program: $0.process.name ?? "?", kind: $0.evidence[0].kind) })
        #expect(
            seen.subtracting(workload.rareAlarms) == workload.alarms,
            "\(alarms.map { "\($0.call) of \($0.process.name ?? "?"): \($0.evidence), code \(Hex.encode($0.code.bytes.prefix(64)))" })")
        let notices = watch.uninspectable.dropFirst(before.1).filter { !Self.ofInit.contains($0.name) }
        #expect(notices.isEmpty, "\(notices)")
    }

    /// With the exclusions in force that come with Epitope, those raise none either.
    @Test(arguments: Workload.all.filter { !$0.alarms.isEmpty }) func `the shipped exclusions cover the known alarms`(_ workload: Workload)
        async throws
    {
        let watch = try #require(Watch.shared)
        let exclusions = ExclusionMonitor(BuiltInExclusions.all)
        try watch.backend.setExclusions(exclusions.table, lookingUp: exclusions.evidenceExcludedByLibraries(ofProcess:))
        let folder = try TemporaryFolder()
        let before = watch.all.count
        let run = try await workload.run(in: try folder.makeFolder("work"))
        let alarms = try await watch.reports(after: before)
        try watch.backend.setExclusions(ExclusionTable())
        if workload.isLeftOut(run) { return }
        #expect(run.status == 0, "\(run.errors)")
        #expect(alarms.isEmpty, "\(alarms.map { "\($0.call) of \($0.process.name ?? "?"): \($0.evidence)" })")
    }
}
