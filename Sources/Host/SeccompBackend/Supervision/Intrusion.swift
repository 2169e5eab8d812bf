// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection

/// Whom a call reaches into (``CriticalCall/Family/intrude``).
struct Intrusion: Hashable {
    /// The process, by its number here; `nil`: the caller's own, or one of several that a number may stand for.
    var process: Int32?
    /// Whether it is no process of the command.
    var isOutside: Bool
}

/// Finds out whom the calls of a command reach into.
///
/// Numbers in registers are what the kernel takes. A path, and what a descriptor stands for, can be changed by another thread
/// between this look and the kernel's; where it has Landlock, the kernel itself denies what is missed here.
struct IntrusionFinder: Sendable {
    let tree: CommandTree

    /// `nil` for a call that reaches into nobody: no such process, a file that is no process's memory, or one that is only read.
    func intrusion(of call: PendingCall) -> Intrusion? {
        switch call.kind {
        case .ptrace: number(call, at: 1).flatMap { intrusion(into: $0, by: call) }
        case .processVMWritev: number(call, at: 0).flatMap { intrusion(into: $0, by: call) }
        case .pidfdGetfd: number(call, at: 0).flatMap { process(ofHandle: $0, of: call) }.map(intrusion)
        case .openMemory: memoryOwner(call)
        default: nil
        }
    }

    private func number(_ call: PendingCall, at index: Int) -> Int32? {
        call.arguments.indices.contains(index) ? Int32(truncatingIfNeeded: call.arguments[index]) : nil
    }

    private func intrusion(into number: Int32, by call: PendingCall) -> Intrusion? {
        let meant = tree.processes(numbered: number, by: call.thread)
        guard let first = meant.first else { return nil }
        return Intrusion(process: meant.count == 1 ? first : nil, isOutside: !meant.allSatisfy(tree.contains))
    }

    private func intrusion(into process: Int32) -> Intrusion {
        Intrusion(process: process, isOutside: !tree.contains(process))
    }

    /// The process of a handle (pidfd), by `/proc/PID/fdinfo`.
    private func process(ofHandle handle: Int32, of call: PendingCall) -> Int32? {
        guard let text = ProcFS.text(of: call.thread, "fdinfo/\(handle)") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("Pid:") {
            return line.dropFirst(4).split(whereSeparator: \.isWhitespace).first.flatMap { Int32($0) }.flatMap { $0 > 0 ? $0 : nil }
        }
        return nil
    }

    /// The process whose memory a call opens for writing.
    private func memoryOwner(_ call: PendingCall) -> Intrusion? {
        guard let opening = call.interface.opening(number: call.number) else { return nil }
        let memory = ProcessMemory(thread: call.thread)
        let index = opening == .openat || opening == .openat2 ? 1 : 0
        guard call.arguments.indices.contains(index + 1),
            let path = memory.text(call.arguments[index], limit: ArgumentDecoder.maxPathLength)
        else { return nil }
        // Nearly all paths end here.
        guard path.hasSuffix("mem") || path.hasSuffix("mem/") else { return nil }
        if opening == .openat2 {
            let flags = memory.words(call.arguments[2], count: 1, size: 8).first ?? 0
            guard UInt32(truncatingIfNeeded: flags) & CallFilter.writeFlags != 0 else { return nil }
        }
        var base: String?
        if !path.hasPrefix("/") {
            let folder = index == 1 ? Int32(truncatingIfNeeded: call.arguments[0]) : AT_FDCWD
            base = ProcFS.link("/proc/\(call.thread)/" + (folder == AT_FDCWD ? "cwd" : "fd/\(folder)"))
        }
        switch MemoryPath(path, from: base) {
        case .own: return Intrusion(process: nil, isOutside: false)
        case .process(let number): return intrusion(into: number, by: call)
        case nil: return nil
        }
    }
}

/// Whose memory a path names, by its words: nothing is looked up, since a file system may never answer.
enum MemoryPath: Hashable {
    case own
    case process(Int32)

    /// - Parameter base: where a relative path begins.
    init?(_ path: String, from base: String?) {
        var words: [Substring] = []
        let whole = path.hasPrefix("/") ? path : "\(base ?? "")/\(path)"
        for word in whole.split(separator: "/") where word != "." {
            if word == ".." { _ = words.popLast() } else { words.append(word) }
        }
        guard words.popLast() == "mem", let last = words.last else { return nil }
        if last == "self" || last == "thread-self" {
            self = .own
        } else if words.suffix(3).dropLast().last == "task", words.suffix(3).first == "self" {
            self = .own
        } else if let number = Int32(last), number > 0 {
            self = .process(number)
        } else {
            return nil
        }
    }
}
