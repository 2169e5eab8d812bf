// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc

/// A process whose program a ``PackedExecutable`` unpacked, with what its code was when it was first looked at: at its first
/// critical call.
///
/// Code counts as the program's own as long as it is what it was then. So code that is injected later is told, also where it is
/// written over the program's; so is code in memory that the program uses for data, and all code elsewhere.
public struct PackedProgram: Sendable {
    /// The most code that is looked at, in bytes.
    public static let maxCode: UInt64 = 64 << 20

    /// The executable file's path, for a person.
    public let path: String
    /// Where it unpacked code, with a digest of each page.
    private let code: [Range<UInt64>]
    private let digests: [UInt64: Int]

    /// AT_ENTRY of `linux/auxvec.h`.
    private static let entryTag: UInt64 = 9

    /// `nil` if the process's program isn't packed, or can't be looked at.
    ///
    /// - Parameters:
    ///   - executable: what its file is.
    ///   - entry: where the kernel began to execute the file.
    init?(of process: Int32, executable: PackedExecutable, entry: UInt64, memory: FileBytes) {
        guard let maps = ProcFS.text("/proc/\(process)/maps") else { return nil }
        let code = MapEntry.entries(inMaps: maps).filter {
            $0.inode == 0 && $0.name.isEmpty && Self.isCode($0.protection)
                && executable.unpacks(into: $0.start..<$0.end, processEntry: entry)
        }
        guard !code.isEmpty, code.reduce(0, { $0 + ($1.end - $1.start) }) <= Self.maxCode else { return nil }
        var digests: [UInt64: Int] = [:]
        for page in code.flatMap({ stride(from: $0.start, to: $0.end, by: Int(MapEntry.pageSize)) }) {
            guard let bytes = memory.read(page, Int(MapEntry.pageSize)) else { return nil }
            digests[page] = Self.digest(bytes)
        }
        path = ProcFS.link("/proc/\(process)/exe") ?? ""
        self.code = code.map { $0.start..<$0.end }
        self.digests = digests
    }

    /// Whether the page at an address is still what the program unpacked there.
    public func isUnchanged(at address: UInt64, memory: FileBytes) -> Bool {
        let page = address & ~(MapEntry.pageSize - 1)
        guard let digest = digests[page], let bytes = memory.read(page, Int(MapEntry.pageSize)) else { return false }
        return Self.digest(bytes) == digest
    }

    /// Whether a mapping is code that the program unpacked: as a whole, and not writable.
    public func unpacked(_ mapping: MapEntry) -> Bool {
        mapping.inode == 0 && Self.isCode(mapping.protection)
            && code.contains { $0.lowerBound <= mapping.start && mapping.end <= $0.upperBound }
    }

    /// Whether an address lies in code that the program unpacked.
    public func unpacked(_ address: UInt64) -> Bool { code.contains { $0.contains(address) } }

    private static func isCode(_ protection: MemoryProtection) -> Bool {
        protection.contains(.execute) && protection.isDisjoint(with: [.write, .shared])
    }

    /// With this process's own random key: nobody can make other bytes with the same digest.
    private static func digest(_ bytes: [UInt8]) -> Int {
        var hasher = Hasher()
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    /// Where the kernel began to execute the process's file.
    static func entry(of process: Int32) -> UInt64? {
        guard let vector = ProcFS.bytes("/proc/\(process)/auxv", maxBytes: 4096) else { return nil }
        for place in stride(from: 0, to: vector.count - 15, by: 16) where vector.integer(UInt64.self, at: place) == entryTag {
            return vector.integer(UInt64.self, at: place + 8)
        }
        return nil
    }
}

/// The packed programs that run, and the files that are packed: a bounded number of each.
///
/// It must be used on one thread only.
public final class PackedPrograms {
    /// How many processes, and how many executable files, are remembered.
    static let maxProcesses = 32
    static let maxFiles = 256

    private struct Process: Hashable {
        var id: Int32
        /// When it was started, in the kernel's ticks since boot.
        var start: UInt64
        var file: FileIdentity
        /// Where the kernel began to execute the file: another program of the same file may lie elsewhere.
        var entry: UInt64
    }

    private var programs: [Process: (program: PackedProgram?, lastUse: UInt64)] = [:]
    private var files: [FileIdentity: PackedExecutable?] = [:]
    private var clock: UInt64 = 0

    public init() {}

    /// The packed program that a process runs; `nil` for all others.
    public func program(of process: Int32, memory: FileBytes) -> PackedProgram? {
        guard let (identity, executable) = executable(of: process), let executable, let (start, parent) = Self.origin(of: process),
            let entry = PackedProgram.entry(of: process)
        else { return nil }
        clock += 1
        let key = Process(id: process, start: start, file: identity, entry: entry)
        if let known = programs[key] {
            programs[key]?.lastUse = clock
            return known.program
        }
        // A child that goes on with its parent's memory has the code that its parent had: what was written over it since is none.
        let inherited = Self.origin(of: parent).flatMap {
            programs[Process(id: parent, start: $0.start, file: identity, entry: entry)]?.program
        }
        let program = inherited ?? PackedProgram(of: process, executable: executable, entry: entry, memory: memory)
        if programs.count >= Self.maxProcesses, let oldest = programs.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            programs[oldest.key] = nil
        }
        programs[key] = (program, clock)
        return program
    }

    private func executable(of process: Int32) -> (FileIdentity, PackedExecutable?)? {
        guard let handle = try? PathHandle("/proc/\(process)/exe"), let facts = try? handle.facts(), facts.isRegular, facts.links > 0,
            !ImagePages.isServed(MapEntry.Device(major: facts.deviceMajor, minor: facts.deviceMinor), process),
            let identity = (try? handle.status())?.identity
        else { return nil }
        if let known = files[identity] { return (identity, known) }
        let executable = (try? handle.openFile()).flatMap { PackedExecutable(FileBytes($0)) }
        if files.count >= Self.maxFiles { files.removeAll() }
        files[identity] = .some(executable)
        return (identity, executable)
    }

    /// When a process was started, and its parent.
    private static func origin(of process: Int32) -> (start: UInt64, parent: Int32)? {
        guard let statistics = ProcessStatistics(of: process), let parent = statistics.parent, let start = statistics.startTicks else {
            return nil
        }
        return (start, parent)
    }
}
