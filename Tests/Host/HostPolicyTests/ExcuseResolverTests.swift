// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import TestSupport
import Testing

@testable import HostPolicy

/// What excuses stand for on this machine, and which processes they hold for.
@Suite struct ExcuseResolverTests {
    static let day = CalendarDay(ofMilliseconds: 1_800_000_000_000)
    static let later = CalendarDay(ofMilliseconds: 1_900_000_000_000)

    static func excuse(_ subject: Excuse.Subject, until: CalendarDay = later) -> Excuse {
        Excuse(subject: subject, evidence: .libraryCall, reason: "a test", until: until)
    }

    static func resolve(_ subject: Excuse.Subject, on day: CalendarDay = day) -> (ExcuseTable, [ExcuseResolver.Problem]) {
        var resolver = ExcuseResolver()
        return resolver.resolve([excuse(subject)], on: day)
    }

    /// A copy of a small program, in a folder of the test's own.
    static func program() throws -> (folder: TemporaryFolder, path: String, hash: String) {
        let folder = try TemporaryFolder()
        let path = folder.path + "/program"
        try FileManager.default.copyItem(atPath: "/bin/sleep", toPath: path)
        let sum = try Foundation.Process.output("/usr/bin/sha256sum", [path])
        return (folder, path, String(sum.prefix(64)))
    }

    @Test func aProgramIsExcusedByItsPathWhereOnlyRootMayReplaceIt() throws {
        let (table, problems) = Self.resolve(.executable(path: "/bin/sleep", sha256: nil))
        #expect(problems.isEmpty)
        let sleeping = try RunningProcess(["/bin/sleep", "20"])
        #expect(
            table.excuses(for: ProcessParties.parties(of: sleeping.identifier)) == [
                Self.excuse(.executable(path: "/bin/sleep", sha256: nil))
            ])
        #expect(table.excuses(for: ProcessParties.parties(of: getpid())).isEmpty)
    }

    /// The temporary folder's parent may be written by everybody.
    @Test func aProgramThatOthersMayReplaceNeedsAHash() throws {
        let (folder, path, hash) = try Self.program()
        defer { withExtendedLifetime(folder) {} }
        #expect(Self.resolve(.executable(path: path, sha256: nil)).1 == [.replaceable(Self.excuse(.executable(path: path, sha256: nil)))])
        #expect(Self.resolve(.executable(path: path, sha256: hash)).0.excuses.count == 1)
        let wrong = String(repeating: "0", count: 64)
        #expect(
            Self.resolve(.executable(path: path, sha256: wrong)).1 == [
                .otherHash(Self.excuse(.executable(path: path, sha256: wrong)), found: hash)
            ])
    }

    @Test func aFileThatChangesIsExcusedNoMore() throws {
        let (folder, path, hash) = try Self.program()
        defer { withExtendedLifetime(folder) {} }
        var resolver = ExcuseResolver()
        let excuse = Self.excuse(.executable(path: path, sha256: hash))
        let before = resolver.resolve([excuse], on: Self.day).table
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data([0]))
        try handle.close()
        // The same inode: but not as it was, for the resolver as for who looks a process up in the old table.
        let changed = try RunningProcess([path, "20"])
        #expect(before.excuses(for: ProcessParties.parties(of: changed.identifier)).isEmpty)
        let (after, problems) = resolver.resolve([excuse], on: Self.day)
        #expect(after.isEmpty)
        #expect(problems.count == 1)
    }

    /// Another file of the same name, in a root of the process's own, is another.
    @Test(.enabled(if: geteuid() == 0, "changing the root needs root")) func aProgramOfThatPathInAnotherRootIsNot() throws {
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
        #expect(table.excuses(for: ProcessParties.parties(of: inside.identifier)).isEmpty)
    }

    @Test func aPackageStandsForItsPrograms() throws {
        let (table, problems) = Self.resolve(.package("coreutils"))
        #expect(problems.isEmpty)
        #expect(table.excuses.count > 50)
        let sleeping = try RunningProcess(["/bin/sleep", "20"])
        #expect(table.excuses(for: ProcessParties.parties(of: sleeping.identifier)).count == 1)
        #expect(Self.resolve(.package("no-such-package")).1.first?.isAbsence == true)
    }

    @Test func aUserStandsForProcessesOfNobodyElse() throws {
        let (table, _) = Self.resolve(.user("nobody"))
        #expect(table.excuses(for: [.user(65534)]).count == 1)
        #expect(table.excuses(for: [.user(0)]).isEmpty)
        #expect(Self.resolve(.user("no-such-user")).1.first?.isAbsence == true)
        #expect(ProcessParties.user("Name:\tx\nUid:\t1000\t1000\t1000\t1000\n") == 1000)
        #expect(ProcessParties.user("Name:\tx\nUid:\t1000\t0\t0\t0\n") == nil)
    }

    @Test(.enabled(if: geteuid() == 0 && ControlGroups() != nil, "needs root, and control groups version 2, mounted"))
    func unitsAndContainersAreGroupsThatRootMade() throws {
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

        let parties = ProcessParties.parties(of: sleeping.identifier)
        #expect(Self.resolve(.unit("epitope-test.service")).0.excuses(for: parties).count == 1)
        #expect(Self.resolve(.container(String(id.prefix(12)))).0.excuses(for: parties).count == 1)
        #expect(Self.resolve(.container(id)).0.excuses(for: parties).count == 1)
        #expect(Self.resolve(.container(String(id.reversed()))).1.first?.isAbsence == true)
        // Whoever was given a group makes others of any name in it.
        #expect(Self.resolve(.unit("epitope-forged.service")).1.first?.isAbsence == true)
        kill(sleeping.identifier, SIGKILL)
        _ = try? sleepUntilEnded(sleeping)
    }

    private func sleepUntilEnded(_ process: RunningProcess) throws {
        for _ in 0..<200 where !process.hasEnded { usleep(10_000) }
    }

    @Test func anExcuseEnds() {
        let excuse = Self.excuse(.user("nobody"), until: Self.day)
        var resolver = ExcuseResolver()
        #expect(resolver.resolve([excuse], on: Self.day).problems.isEmpty)
        #expect(resolver.resolve([excuse], on: Self.later).problems == [.ended(excuse)])
        #expect(resolver.resolve([excuse], on: Self.later).table.isEmpty)
    }

    @Test func onlyWhatChangedIsTold() {
        let keeper = ExcuseKeeper([Self.excuse(.user("nobody"))])
        #expect(!keeper.table.isEmpty)
        #expect(keeper.refresh(on: Self.day).table == nil)
        let ended = keeper.refresh(on: CalendarDay(ofMilliseconds: 4_000_000_000_000))
        #expect(ended.table?.isEmpty == true)
        #expect(ended.problems.count == 1)
        #expect(keeper.refresh(on: CalendarDay(ofMilliseconds: 4_000_000_000_000)).problems.isEmpty)
        #expect(keeper.replace([]).table == nil)
    }
}

extension Foundation.Process {
    /// What a program prints.
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
