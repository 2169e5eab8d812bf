// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import FileAccess
import Foundation
import ProcessInspection
import TestSupport
import Testing

@testable import HostPolicy

/// The targets of exclusions on this machine, and the processes that match them.
@Suite struct ExclusionResolverTests {
    static let day = CalendarDay(ofMilliseconds: 1_800_000_000_000)
    static let later = CalendarDay(ofMilliseconds: 1_900_000_000_000)

    static func exclusion(_ subject: Exclusion.Subject, until: CalendarDay = later) -> Exclusion {
        Exclusion(subject: subject, evidence: .libraryCall, reason: "a test", until: until)
    }

    static func resolve(_ subject: Exclusion.Subject, on day: CalendarDay = day) -> (ExclusionTable, [ExclusionProblem]) {
        var resolver = ExclusionResolver()
        return resolver.resolve([exclusion(subject)], on: day)
    }

    /// A copy of a small program, in a folder of the test's own.
    static func program() throws -> (folder: TemporaryFolder, path: String, hash: String) {
        let folder = try TemporaryFolder()
        let path = folder.path + "/program"
        try FileManager.default.copyItem(atPath: "/bin/sleep", toPath: path)
        let sum = try Foundation.Process.output("/usr/bin/sha256sum", [path])
        return (folder, path, String(sum.prefix(64)))
    }

    @Test func `a program is excluded by its path where only root may replace it`() throws {
        let (table, problems) = Self.resolve(.executable(path: "/bin/sleep", sha256: nil))
        #expect(problems.isEmpty)
        let sleeping = try RunningProcess(["/bin/sleep", "20"])
        #expect(
            table.exclusions(for: ProcessExclusionTargets.targets(ofProcess: sleeping.identifier)) == [
                Self.exclusion(.executable(path: "/bin/sleep", sha256: nil))
            ])
        #expect(table.exclusions(for: ProcessExclusionTargets.targets(ofProcess: getpid())).isEmpty)
    }

    @Test func `a program with a library is excluded where it has mapped the library as code`() async throws {
        let sleeping = try RunningProcess(["/bin/sleep", "20"])
        // It maps the library a moment after it began.
        var maps: [MapEntry] = []
        for _ in 0..<500 where !maps.contains(where: { $0.name.contains("/libc.so") }) {
            try await Task.sleep(for: .milliseconds(10))
            maps = MapEntry.entries(inMaps: ProcFS.text("/proc/\(sleeping.identifier)/maps", maxBytes: 1 << 20) ?? "")
        }
        let mapped = try #require(maps.first { $0.name.contains("/libc.so") }?.name)
        let program = try #require(maps.first?.name)
        func found(_ library: String, _ executable: String) -> [Exclusion] {
            let (table, problems) = Self.resolve(.library(path: library, executable: executable))
            #expect(problems.isEmpty && table.libraries.count == 1)
            return table.exclusions(
                for: ProcessExclusionTargets.targets(ofProcess: sleeping.identifier, libraries: table.libraries))
        }
        #expect(found(mapped, program) == [Self.exclusion(.library(path: mapped, executable: program))])
        #expect(found("/bin/ls", program) == [], "not mapped")
        #expect(found(mapped, "/bin/ls") == [], "another program")
        #expect(Self.resolve(.library(path: "/lib/none.so", executable: program)).1.map(\.isActionable) == [false])
    }

    @Test func `a library that other users may replace excludes nothing`() throws {
        let (folder, path, _) = try Self.program()
        defer { withExtendedLifetime(folder) {} }
        for subject in [Exclusion.Subject.library(path: path, executable: "/bin/sleep"), .library(path: "/bin/sleep", executable: path)] {
            let (table, problems) = Self.resolve(subject)
            #expect(table.isEmpty && problems == [.replaceable(Self.exclusion(subject))])
            #expect(problems.first.map { "\($0)".contains("sha256") } == false, "it can't have one")
        }
    }

    /// Everybody may write to the temporary folder's parent.
    @Test func `an exclusion of a program that other users may replace needs a hash`() throws {
        let (folder, path, hash) = try Self.program()
        defer { withExtendedLifetime(folder) {} }
        #expect(
            Self.resolve(.executable(path: path, sha256: nil)).1 == [.replaceable(Self.exclusion(.executable(path: path, sha256: nil)))])
        #expect(Self.resolve(.executable(path: path, sha256: hash)).0.exclusions.count == 1)
        let wrong = String(repeating: "0", count: 64)
        #expect(
            Self.resolve(.executable(path: path, sha256: wrong)).1 == [
                .otherHash(Self.exclusion(.executable(path: path, sha256: wrong)), found: hash)
            ])
    }

    @Test func `a file that changes is no longer excluded`() throws {
        let (folder, path, hash) = try Self.program()
        defer { withExtendedLifetime(folder) {} }
        var resolver = ExclusionResolver()
        let exclusion = Self.exclusion(.executable(path: path, sha256: hash))
        let before = resolver.resolve([exclusion], on: Self.day).table
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data([0]))
        try handle.close()
        // The inode is the same, but its state isn't: neither for the resolver nor for a look-up in the old table.
        let changed = try RunningProcess([path, "20"])
        #expect(before.exclusions(for: ProcessExclusionTargets.targets(ofProcess: changed.identifier)).isEmpty)
        let (after, problems) = resolver.resolve([exclusion], on: Self.day)
        #expect(after.isEmpty)
        #expect(problems.count == 1)
    }

    /// A file of the same path in a root of the process's own is a different file.
    @Test(.enabled(if: geteuid() == 0, "changing the root needs root")) func `a program of the same path in another root is not excluded`()
        throws
    {
        let folder = try TemporaryFolder()
        let bin = try folder.makeFolder("bin")
        try FileManager.default.copyItem(atPath: "/bin/busybox", toPath: bin + "/sleep")
        let (table, _) = Self.resolve(.executable(path: "/bin/sleep", sha256: nil))
        let inside = try RunningProcess(["/usr/sbin/chroot", folder.path, "/bin/sleep", "20"])
        for _ in 0..<200
        where (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(inside.identifier)/exe"))?.hasSuffix("/bin/sleep")
            != true
        {
            usleep(10_000)
        }
        #expect(table.exclusions(for: ProcessExclusionTargets.targets(ofProcess: inside.identifier)).isEmpty)
    }

    @Test func `an exclusion of a package applies to its programs`() throws {
        let (table, problems) = Self.resolve(.package("coreutils"))
        #expect(problems.isEmpty)
        #expect(table.exclusions.count > 50)
        let sleeping = try RunningProcess(["/bin/sleep", "20"])
        #expect(table.exclusions(for: ProcessExclusionTargets.targets(ofProcess: sleeping.identifier)).count == 1)
        #expect(Self.resolve(.package("no-such-package")).1.first?.isActionable == false)
    }

    @Test func `an exclusion of a user applies to that user's processes only`() throws {
        let (table, _) = Self.resolve(.user("nobody"))
        #expect(table.exclusions(for: [.user(65534)]).count == 1)
        #expect(table.exclusions(for: [.user(0)]).isEmpty)
        #expect(Self.resolve(.user("no-such-user")).1.first?.isActionable == false)
        #expect(ProcessExclusionTargets.user("Name:\tx\nUid:\t1000\t1000\t1000\t1000\n") == 1000)
        #expect(ProcessExclusionTargets.user("Name:\tx\nUid:\t1000\t0\t0\t0\n") == nil)
    }

    @Test(.enabled(if: geteuid() == 0 && ControlGroups() != nil, "needs root, and control groups version 2, mounted"))
    func `exclusions of units and containers apply only to groups that root created`() throws {
        let groups = try #require(ControlGroups())
        let id = UUID().uuidString.lowercased().filter { $0 != "-" } + UUID().uuidString.lowercased().filter { $0 != "-" }
        let slice = groups.root + "/epitope-test-\(getpid()).slice"
        let unit = slice + "/epitope-test.service"
        let container = unit + "/docker-\(id).scope"
        let foreign = slice + "/foreign"
        let forged = foreign + "/epitope-forged.service"
        let folders = [slice, unit, container, foreign, forged]
        for folder in folders { try #require(mkdir(folder, 0o755) == 0) }
        defer { for folder in folders.reversed() { rmdir(folder) } }
        try #require(chown(foreign, 65534, 65534) == 0)
        let sleeping = try RunningProcess(["/bin/sleep", "20"])
        try "\(sleeping.identifier)".write(toFile: container + "/cgroup.procs", atomically: false, encoding: .utf8)

        let targets = ProcessExclusionTargets.targets(ofProcess: sleeping.identifier)
        #expect(Self.resolve(.unit("epitope-test.service")).0.exclusions(for: targets).count == 1)
        #expect(Self.resolve(.container(String(id.prefix(12)))).0.exclusions(for: targets).count == 1)
        #expect(Self.resolve(.container(id)).0.exclusions(for: targets).count == 1)
        #expect(Self.resolve(.container(String(id.reversed()))).1.first?.isActionable == false)
        // A user who was given a group can create groups of any name in it.
        #expect(Self.resolve(.unit("epitope-forged.service")).1.first?.isActionable == false)
        kill(sleeping.identifier, SIGKILL)
        _ = try? sleepUntilEnded(sleeping)
    }

    private func sleepUntilEnded(_ process: RunningProcess) throws {
        for _ in 0..<200 where !process.hasEnded { usleep(10_000) }
    }

    @Test func `an exclusion ends`() {
        let exclusion = Self.exclusion(.user("nobody"), until: Self.day)
        var resolver = ExclusionResolver()
        let (last, problems) = resolver.resolve([exclusion], on: Self.day)
        #expect(!last.isEmpty && problems == [.endsSoon(exclusion, days: 0)])
        #expect(resolver.resolve([exclusion], on: Self.later).problems == [.ended(exclusion)])
        #expect(resolver.resolve([exclusion], on: Self.later).table.isEmpty)
    }

    @Test func `an exclusion that ends within two weeks is told, and applies until then`() {
        func problems(inDays days: Int64) -> [ExclusionProblem] {
            let until = CalendarDay(ofMilliseconds: 1_800_000_000_000 + days * 86_400_000)
            var resolver = ExclusionResolver()
            let (table, problems) = resolver.resolve([Self.exclusion(.user("nobody"), until: until)], on: Self.day)
            #expect(!table.isEmpty)
            #expect(problems.allSatisfy { $0.isActionable && "\($0)".contains("ends on \(until), ") })
            return problems
        }
        #expect(problems(inDays: 15).isEmpty)
        #expect(problems(inDays: 14).first?.description.contains("in 14 days: give it another \"until\"") == true)
        #expect(problems(inDays: 1).first?.description.contains(", tomorrow: ") == true)
        #expect(problems(inDays: 0).first?.description.contains(", today: ") == true)
        let summary = ExclusionProblem.summary(of: problems(inDays: 3) + problems(inDays: 4))
        #expect(summary?.code == .exclusionNeedsCare)
        #expect(summary?.message.hasSuffix("or such calls are denied again; 1 more need care") == true, "\(summary?.message ?? "")")
        #expect(ExclusionProblem.summary(of: []) == nil)
    }

    /// No installed version begins to deny an ordinary program's calls on some day.
    @Test func `the built-in exclusions never end, and nobody is asked to care for them`() throws {
        let last = try #require(CalendarDay("9999-12-31"))
        #expect(BuiltInExclusions.all.count > 15)
        var resolver = ExclusionResolver()
        let (table, problems) = resolver.resolve(BuiltInExclusions.all, on: last)
        #expect(problems.allSatisfy { !$0.isActionable }, "\(problems)")
        #expect(table == resolver.resolve(BuiltInExclusions.all, on: Self.day).table)
        #expect(BuiltInExclusions.all.first?.term == "as long as this version of Epitope is installed")
    }

    /// Why each is there, what was observed, and what it leaves open: nobody should have to guess.
    @Test func `the built-in exclusions are those that EXCLUSIONS explains`() throws {
        let page = try String(contentsOfFile: "\(PackageFolder.path)/Fixtures/Workloads/EXCLUSIONS.md", encoding: .utf8)
        var explained: Set<String> = []
        for line in page.split(separator: "\n") where line.hasPrefix("| `") || line.hasPrefix("| java") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            for name in cells[1].split(separator: ", ") { explained.insert("\(name.filter { $0 != "`" }): \(cells[2])") }
        }
        let builtIn = BuiltInExclusions.all.map { exclusion -> String in
            let short = exclusion.matter == EvidenceKind.libraryCall.rawValue ? "library-call" : exclusion.matter
            return switch exclusion.subject {
            case .package(let name): "\(name): \(short)"
            default: "python3-llvmlite: \(short)"
            }
        }
        #expect(explained == Set(builtIn))
    }

    @Test func `a refresh returns only what changed`() {
        let monitor = ExclusionMonitor([Self.exclusion(.user("nobody"))])
        #expect(!monitor.table.isEmpty)
        #expect(monitor.refresh(on: Self.day).table == nil)
        let ended = monitor.refresh(on: CalendarDay(ofMilliseconds: 4_000_000_000_000))
        #expect(ended.table?.isEmpty == true)
        #expect(ended.problems.count == 1)
        #expect(monitor.refresh(on: CalendarDay(ofMilliseconds: 4_000_000_000_000)).problems.isEmpty)
        #expect(monitor.replace([]).table == nil)
    }
}

extension Foundation.Process {
    /// The output of a program.
    static func output(_ program: String, _ arguments: [String]) throws -> String {
        let process = Foundation.Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardOutput = pipe
        try process.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text
    }
}

/// Exclusions of processes that can't be inspected.
@Suite struct UninspectableExclusionTests {
    @Test func `they allow what can't be inspected, and excuse no evidence`() {
        let own = Exclusion(
            subject: .user(String(getuid())), evidence: nil, reason: "it closes its memory", until: CalendarDay("2999-12-31")!)
        let monitor = ExclusionMonitor([own])
        #expect(monitor.allowsUninspected(process: getpid()))
        #expect(monitor.excludedEvidence(forProcess: getpid()).isEmpty)
        #expect(monitor.table.kinds.isEmpty)
        #expect(!ExclusionMonitor([]).allowsUninspected(process: getpid()))
        var evidence = own
        evidence.evidence = .libraryCall
        #expect(!ExclusionMonitor([evidence]).allowsUninspected(process: getpid()))
    }
}
