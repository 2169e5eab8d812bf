// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import FileAccess
import Foundation
import TestSupport
import Testing

@testable import HostPolicy

/// When the subjects of exclusions are looked up again, and that nothing is excluded meanwhile that is not what was found.
@Suite struct ExclusionMonitorTests {
    private static func exclusion(_ subject: Exclusion.Subject) -> Exclusion { ExclusionResolverTests.exclusion(subject) }

    @Test func `what was found is too old after a second, or for a program or group that is newer`() {
        let age = LookUpAge(began: .now, time: .init(seconds: 1000, nanoseconds: 500))
        func isTooOld(_ milliseconds: Int, _ changed: FileIdentity.Time?) -> Bool {
            age.isTooOld(now: age.began + .milliseconds(milliseconds), changed: changed)
        }
        #expect([0, 999, 1000].map { isTooOld($0, nil) } == [false, false, true])
        // What changes in the same tick of the clock may have changed after the look.
        let changes: [FileIdentity.Time] = [
            .init(seconds: 1000, nanoseconds: 499), .init(seconds: 1000, nanoseconds: 500), .init(seconds: 1001, nanoseconds: 0),
        ]
        #expect(changes.map { isTooOld(0, $0) } == [false, true, true])
    }

    @Test func `call after call of a program looks the subjects up once a second at most`() {
        let monitor = ExclusionMonitor([Self.exclusion(.user(String(getuid())))])
        let (before, begin) = (monitor.lookUps, ContinuousClock.now)
        for _ in 0..<300 { #expect(monitor.excludedEvidence(forProcess: getpid()) == [.libraryCall]) }
        #expect(monitor.lookUps - before <= Int((ContinuousClock.now - begin) / .seconds(1)) + 1)
    }

    @Test func `a program that was put in its place since is excluded at once`() throws {
        let (folder, path, hash) = try ExclusionResolverTests.program()
        defer { withExtendedLifetime(folder) {} }
        let monitor = ExclusionMonitor([Self.exclusion(.executable(path: path + "2", sha256: hash))])
        #expect(monitor.table.isEmpty)
        try FileManager.default.copyItem(atPath: path, toPath: path + "2")
        let program = try RunningProcess([path + "2", "20"])
        #expect(monitor.excludedEvidence(forProcess: program.identifier) == [.libraryCall])
    }

    @Test func `of a program that was replaced neither the old nor the new file is excluded`() throws {
        let (folder, path, hash) = try ExclusionResolverTests.program()
        defer { withExtendedLifetime(folder) {} }
        let monitor = ExclusionMonitor([Self.exclusion(.executable(path: path, sha256: hash))])
        let old = try RunningProcess([path, "20"])
        #expect(monitor.excludedEvidence(forProcess: old.identifier) == [.libraryCall])
        var other = try Data(contentsOf: URL(fileURLWithPath: path))
        other.append(0)
        // Beside it first, then in its place, as package managers do.
        try other.write(to: URL(fileURLWithPath: path + ".new"))
        chmod(path + ".new", 0o755)
        try #require(rename(path + ".new", path) == 0)
        let new = try RunningProcess([path, "20"])
        #expect(monitor.excludedEvidence(forProcess: old.identifier).isEmpty)
        #expect(monitor.excludedEvidence(forProcess: new.identifier).isEmpty)
    }

    @Test func `what just changed could change again without a trace, what rested could not`() {
        let file = ExclusionTarget.FileState(device: 1, inode: 2, changedSeconds: 1000, changedNanoseconds: 995_000_000)
        func may(_ seconds: Int64, _ nanoseconds: Int64) -> Bool {
            ExclusionFiles.mayChangeUnseen(file, now: .init(seconds: seconds, nanoseconds: nanoseconds))
        }
        #expect(may(1000, 995_000_000) && may(1001, 10_000_000) && may(1000, 980_000_000))
        #expect(!may(1001, 20_000_000) && !may(1000, 900_000_000) && !may(5000, 995_000_000) && !may(0, 0))
    }
}

/// What is remembered of the ways to programs.
@Suite struct ExclusionWayTests {
    private static let day = ExclusionResolverTests.day

    @Test func `the ways to programs that are unchanged are not walked again`() {
        var resolver = ExclusionResolver()
        let exclusions = [ExclusionResolverTests.exclusion(.package("coreutils"))]
        let first = resolver.resolve(exclusions, on: Self.day).table
        let walks = resolver.files.walks
        #expect(walks > 50)
        #expect(resolver.resolve(exclusions, on: Self.day).table == first)
        #expect(resolver.files.walks == walks)
    }

    /// A program below /run, where nothing above is sticky: `folder/program`, and `link`, which leads to the folder.
    private final class Program {
        let base = "/run/epitope-test-" + UUID().uuidString
        var folder: String { base + "/folder" }
        var path: String { folder + "/program" }
        var link: String { base + "/link" }

        init() throws {
            try FileManager.default.createDirectory(atPath: base + "/folder", withIntermediateDirectories: true)
            for folder in [base, base + "/folder"] { chmod(folder, 0o755) }
            try FileManager.default.copyItem(atPath: "/bin/sleep", toPath: path)
            try #require(symlink("folder", link) == 0)
        }

        deinit { try? FileManager.default.removeItem(atPath: base) }
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: only what is root's is excluded without a hash"))
    func `a way on which something changes is walked again`() throws {
        let program = try Program()
        let exclusion = ExclusionResolverTests.exclusion(.executable(path: program.link + "/program", sha256: nil))
        var resolver = ExclusionResolver()
        func isExcluded() -> Bool {
            let (table, problems) = resolver.resolve([exclusion], on: Self.day)
            if table.isEmpty { #expect(problems == [.replaceable(exclusion)] || problems == [.absent(exclusion)]) }
            return !table.isEmpty
        }
        #expect(isExcluded())
        chmod(program.folder, 0o777)
        #expect(!isExcluded(), "everybody may put another file there")
        chmod(program.folder, 0o755)
        #expect(isExcluded())
        lchown(program.link, 65534, 0)
        #expect(!isExcluded(), "another user's link")
        lchown(program.link, 0, 0)
        #expect(isExcluded())
        unlink(program.link)
        try #require(symlink("/nonexistent", program.link) == 0)
        #expect(!isExcluded(), "it leads elsewhere")
        unlink(program.link)
        try #require(symlink("folder", program.link) == 0)
        #expect(isExcluded())
        chmod(program.path, 0o757)
        #expect(!isExcluded(), "everybody may write it")
    }
}
