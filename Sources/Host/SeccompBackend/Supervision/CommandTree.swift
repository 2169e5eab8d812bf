// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

/// The processes of a command: those that descend from it, under its filter. Orphans among them are the supervisor's own
/// children (``epitope_guard_self``), so that descent tells all of them.
struct CommandTree: Sendable {
    /// How deep a tree of processes is followed, and how often the walk begins again when a parent ends meanwhile.
    private static let maxDepth = 4096
    private static let maxWalks = 3

    let supervisor: Int32
    private let ownFilters: Int

    init() {
        supervisor = getpid()
        ownFilters = ProcessEntry("/proc/self")?.filters ?? 0
    }

    /// Whether a process, or the process of a thread, belongs to the command.
    func contains(_ thread: Int32) -> Bool {
        for _ in 0..<Self.maxWalks {
            guard let entry = ProcessEntry("/proc/\(thread)"), entry.filters > ownFilters else { return false }
            if descends(entry) { return true }
        }
        return false
    }

    /// Whether an ended child of the supervisor is one of the command's processes, and not a program that the supervisor itself
    /// has started.
    func adopted(_ child: Int32) -> Bool { (ProcessEntry("/proc/\(child)")?.filters ?? 0) > ownFilters }

    private func descends(_ entry: ProcessEntry) -> Bool {
        var next = entry.parent
        for _ in 0..<Self.maxDepth {
            if next == supervisor { return true }
            guard next > 1, let above = ProcessEntry("/proc/\(next)") else { return false }
            next = above.parent
        }
        return false
    }

    /// Whom a number means to a thread that may be in a pid namespace of its own: the processes, by their numbers here, that it
    /// may stand for. Empty: no such process.
    func processes(numbered number: Int32, by caller: Int32) -> [Int32] {
        guard number > 0, let callers = ProcessEntry("/proc/\(caller)")?.numbers.count else { return [] }
        guard callers > 1 else { return ProcessEntry("/proc/\(number)").map { [$0.process] } ?? [] }
        var found: Set<Int32> = []
        for name in (try? Folders.names("/proc")) ?? [] {
            guard let process = Int32(name), let entry = ProcessEntry("/proc/\(process)"), entry.numbers.count >= callers else { continue }
            let threads = (try? Folders.names("/proc/\(process)/task")) ?? []
            let isMeant = threads.contains { thread in
                ProcessEntry("/proc/\(process)/task/\(thread)").map { $0.numbers.count >= callers && $0.numbers[callers - 1] == number }
                    ?? false
            }
            if isMeant { found.insert(process) }
        }
        return found.sorted()
    }
}

/// What `/proc/PID/status` says of a process's place, which everybody may read.
struct ProcessEntry {
    var process: Int32 = 0
    var parent: Int32 = 0
    /// Its numbers, from this process's pid namespace to its own.
    var numbers: [Int32] = []
    /// How many seccomp filters it has.
    var filters = 0

    init?(_ folder: String) {
        guard let text = ProcFS.text(folder + "/status", maxBytes: 16384) else { return nil }
        self.init(status: text)
    }

    init?(status text: String) {
        var mode = 0
        var count: Int?
        for line in text.split(separator: "\n") {
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            guard fields.count > 1 else { continue }
            switch fields[0] {
            case "Tgid:": process = Int32(fields[1]) ?? 0
            case "PPid:": parent = Int32(fields[1]) ?? 0
            case "NSpid:": numbers = fields.dropFirst().compactMap { Int32($0) }
            case "Seccomp:": mode = Int(fields[1]) ?? 0
            case "Seccomp_filters:": count = Int(fields[1])
            default: break
            }
        }
        guard process > 0 else { return nil }
        // Kernels before 5.9 don't count the filters.
        filters = count ?? (mode == 2 ? 1 : 0)
    }
}
