// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
import CSeccomp
public import EpitopeModel
import FileAccess
import Foundation
import ProcessInspection

extension EpitopeError.Code {
    /// There is no such process, or its memory may not be read.
    public static let processNotInspectable = Self("process-not-inspectable")
}

/// Inspects a running process: the memory that evidence could come from, and what an inspection makes of its threads that
/// wait in a critical call.
public struct LiveInspection: Sendable {
    /// Unbacked executable memory, or an image some of whose pages were written.
    public struct Finding: Hashable, Sendable {
        public var region: MemoryRegion
        /// How many pages of an image were written; 0 for other memory.
        public var writtenPages: Int
    }

    /// A thread that waits in a critical call.
    public struct WaitingCall: Sendable {
        public var threadID: Int32
        public var call: CriticalCall
        /// What was observed; `nil` for a call that surely gives no evidence.
        public var observation: Observation?
    }

    public var findings: [Finding]
    public var waiting: [WaitingCall]
    /// Threads that could not be inspected: their number, and why.
    public var uninspectable: [(threadID: Int32, reason: String)]

    /// - Throws: `process-not-inspectable`.
    public init(of processID: Int32) throws(EpitopeError) {
        let files: ThreadFiles
        do {
            files = try ThreadFiles(of: processID)
        } catch {
            guard access("/proc/\(processID)", F_OK) == 0 else {
                throw EpitopeError(
                    .processNotInspectable, "there is no process \(processID)", remedy: "name a running process: ps -e lists them")
            }
            throw EpitopeError(
                .processNotInspectable, "process \(processID) can't be inspected: \(error)",
                remedy: "inspecting processes of other users, and those that close their memory, needs root")
        }
        findings = Self.findings(files, processID)
        waiting = []
        uninspectable = []
        let inspector = Inspector(wantsDeeper: true, since: WatchStart(of: processID))
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/task"))?.compactMap { Int32($0) } ?? []
        for thread in threads.sorted() {
            guard let call = PendingCall(waitingIn: thread) else { continue }
            do {
                waiting.append(WaitingCall(threadID: thread, call: call.kind, observation: try inspector.observe(call)))
            } catch {
                uninspectable.append((thread, error.description))
            }
        }
    }

    private static func findings(_ files: ThreadFiles, _ processID: Int32) -> [Finding] {
        let view = ProcessView(
            memory: ProcessMemory(thread: processID), space: AddressSpace(files, source: .text), pages: PageTable(files),
            shared: .init(since: WatchStart(of: processID)), stackPointer: 0)
        var findings: [Finding] = []
        let text = ProcFS.text(of: processID, "maps") ?? ""
        for entry in MapEntry.entries(inMaps: text) where entry.protection.contains(.execute) {
            var region = view.region(of: entry, at: entry.start + 1)
            if region.backing == .kernel, entry.isKernelsFunctions,
                stride(from: entry.start, to: entry.end, by: Int(MapEntry.pageSize)).contains(where: view.pages.isWritten)
            {
                region.backing = .writtenImagePage(path: entry.name)
            }
            switch region.backing {
            case .kernel: continue
            // A packed program's code, or a copy of an image's: of interest to whoever looks at the process.
            case .image where entry.inode == 0:
                region.backing = .anonymous
                findings.append(Finding(region: region, writtenPages: 0))
            case .image(let path), .writtenImagePage(let path):
                guard !entry.protection.contains(.shared) else { continue }
                let written = stride(from: entry.start, to: entry.end, by: Int(MapEntry.pageSize)).count { page in
                    // Breakpoints and text relocations don't count.
                    view.pages.isWritten(page) && !(view.comparison(of: entry, at: page + MapEntry.pageSize / 2)?.isImage ?? false)
                }
                guard written > 0 else { continue }
                region.backing = .writtenImagePage(path: path)
                findings.append(Finding(region: region, writtenPages: written))
            case .anonymous, .stack, .heap, .memoryFile, .writtenFile: findings.append(Finding(region: region, writtenPages: 0))
            }
        }
        return findings
    }
}

extension PendingCall {
    /// The critical call that a thread is in now, by `/proc/TID/syscall`: the number, six arguments, the stack pointer and
    /// the instruction pointer. `nil` for a thread that runs, or is in another call. 32-bit calls can't be recognised there.
    init?(waitingIn thread: Int32) {
        guard let text = ProcFS.text(of: thread, "syscall") else { return nil }
        let fields = text.split(whereSeparator: \.isWhitespace)
        guard fields.count == 9, let number = Int32(fields[0]),
            let instructionPointer = UInt64(fields[8].dropFirst(2), radix: 16)
        else { return nil }
        var notification = epitope_notification()
        notification.thread = UInt32(bitPattern: thread)
        notification.number = number
        notification.audit_architecture = SystemCallInterface.x86_64.auditArchitecture
        notification.instruction_pointer = instructionPointer
        let values = fields[1...6].map { UInt64($0.dropFirst(2), radix: 16) ?? 0 }
        withUnsafeMutableBytes(of: &notification.arguments) { buffer in
            for (index, value) in values.enumerated() { buffer.storeBytes(of: value, toByteOffset: index * 8, as: UInt64.self) }
        }
        self.init(notification)
    }
}
