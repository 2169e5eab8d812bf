// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import EpitopeModel
import Foundation
import ProcessInspection
import Synchronization
import UnwindTables

/// The kernel program, loaded and attached. It is detached with the last reference to this, unless it is pinned.
///
/// libbpf's object isn't thread-safe: a lock serialises all calls.
final class LoadedProgram: Sendable {
    private let handle: Mutex<Handle>

    private struct Handle: @unchecked Sendable {
        // Only accessed under the lock.
        let pointer: OpaquePointer
        var hasBegun = false
    }

    /// - Parameter folder: on a bpffs, where the program is pinned, and from where it adopts what an earlier agent left.
    /// - Throws: `kernel-program-not-allowed`, `kernel-program-refused`, `pins-folder-unusable`.
    init(level: ProtectionLevel, policy: epitope_policy, places: KernelBackend.Places, pinnedAt folder: String? = nil)
        throws(EpitopeError)
    {
        if let folder { try PinnedProgram.prepare(folder) }
        let object = Self.object
        var log = [CChar](repeating: 0, count: 64 << 10)
        var failure: Int32 = 0
        var policy = policy
        var limits = epitope_limits(marks: places.marks, submitters: places.submitters, starters: places.starters)
        let loaded = epitope_program_load(
            object, object.count, level.inKernel,
            SyscallClassTable.table(.x86_64), SyscallClassTable.table(.i386), &policy, &limits, folder, &log, log.count, &failure)
        guard let loaded else {
            let output = String(decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw Self.loadingError(-failure, output, level)
        }
        handle = Mutex(Handle(pointer: loaded))
    }

    deinit {
        handle.withLock { handle in
            // A program that never judged a call doesn't stay pinned.
            if !handle.hasBegun {
                _ = epitope_program_detach(handle.pointer)
                _ = epitope_program_remove_pins(handle.pointer)
            }
            epitope_program_unload(handle.pointer)
        }
    }

    /// The object file of the program.
    static var object: [UInt8] {
        let text = KernelProgramObject.base64
        let encoded = Data(bytes: text.utf8Start, count: text.utf8CodeUnitCount)
        return Data(base64Encoded: encoded).map { [UInt8]($0) } ?? []
    }

    /// - Parameter output: what libbpf and the verifier printed.
    private static func loadingError(_ failure: Int32, _ output: String, _ level: ProtectionLevel) -> EpitopeError {
        let reason = String(cString: strerror(failure))
        if geteuid() == 0, failure == EPERM, level.canDeny {
            return EpitopeError(
                .kernelProgramNotAllowed, "the kernel doesn't permit the program at level \(level.rawValue) (\(reason))",
                remedy: "see which level this kernel offers, and why: epitope agent --check; without --level the best one is taken")
        }
        if failure == EPERM || (failure == EACCES && geteuid() != 0) {
            return EpitopeError(
                .kernelProgramNotAllowed, "the kernel doesn't permit loading the program (\(reason))",
                remedy: "run epitope agent as root; in a container or virtual machine, the host must allow eBPF")
        }
        let last = output.split(separator: "\n").suffix(20).joined(separator: "\n    ")
        return EpitopeError(
            .kernelProgramRefused, "the kernel refused the program at level \(level.rawValue) (\(reason)):\n    \(last)",
            remedy: "use Linux 5.17 or later with type information (/sys/kernel/btf/vmlinux), or epitope run, which needs neither")
    }

    private static func failure(_ cause: Int32, _ what: String) -> EpitopeError {
        EpitopeError(
            .kernelProgramRefused, "\(what) (\(String(cString: strerror(cause))))",
            remedy: "check the kernel's log (dmesg), and start the agent again")
    }

    /// Marks the processes that had unbacked executable memory before the program was loaded.
    func scanProcesses() throws(EpitopeError) {
        let result = handle.withLock { epitope_program_scan_processes($0.pointer) }
        guard result == 0 else { throw Self.failure(-result, "the scan of all processes failed") }
    }

    /// Replaces the policy in force as a whole.
    func setPolicy(_ policy: epitope_policy) throws(EpitopeError) {
        var policy = policy
        let result = handle.withLock { epitope_program_set_policy($0.pointer, &policy) }
        guard result == 0 else { throw Self.failure(-result, "the policy could not be replaced") }
    }

    /// Sets an exclusion; `nil` removes it.
    func setExclusion(_ key: epitope_exclusion_key, _ exclusion: epitope_exclusion?) throws(EpitopeError) {
        var key = key
        let result: Int32
        if var exclusion {
            result = handle.withLock { epitope_program_set_exclusion($0.pointer, &key, &exclusion) }
        } else {
            result = handle.withLock { epitope_program_set_exclusion($0.pointer, &key, nil) }
        }
        guard result == 0 || (exclusion == nil && result == -ENOENT) else {
            throw Self.failure(-result, "an exclusion could not be set")
        }
    }

    /// Treats a memory file as the image that it is a copy of. The map drops its oldest entry if it is full; if the kernel still
    /// can't add the file, it continues to be reported.
    func addCopy(_ copy: KernelFile) {
        var file = epitope_file(inode: copy.inode, device: copy.device, generation: copy.generation)
        _ = handle.withLock { epitope_program_add_copy($0.pointer, &file) }
    }

    /// Answers the question of a process. If the kernel can't take the answer, the call is judged without it once its time is over.
    func answer(_ process: Int32, _ question: epitope_question, _ answer: QuestionAnswer) {
        if answer == .none { return }
        var question = question
        var origin: UInt32 = 0
        handle.withLock { handle in
            switch answer {
            case .code(let found): origin = found.rawValue
            case .frame(let frame):
                var site = epitope_site(
                    inode: question.inode, offset: question.offset, device: question.device, generation: question.generation)
                var value = epitope_frame(frame, knowsJumps: false)
                // Without room it isn't known.
                if epitope_program_set_frame(handle.pointer, &site, &value) != 0 { origin = EPITOPE_FRAME_UNKNOWN.rawValue }
            case .noFrame: origin = EPITOPE_FRAME_UNKNOWN.rawValue
            case .none: break
            }
            _ = epitope_program_answer(handle.pointer, UInt32(bitPattern: process), &question, origin)
        }
    }

    /// Sets the frames of a library. Whether there was room for all of them.
    func setFrames(_ library: LibraryFrames) -> Bool {
        handle.withLock { handle in
            // The jumps first: with a frame but without them, a call that can have been made would be held impossible.
            let hasJumps = library.jumps.allSatisfy {
                var jump = epitope_jump(inode: library.inode, from: $0.from, to: $0.to, device: library.device, unused: 0)
                return epitope_program_set_jump(handle.pointer, &jump) == 0
            }
            return library.frames.allSatisfy { offset, frame in
                var site = epitope_site(inode: library.inode, offset: offset, device: library.device, generation: 0)
                var value = epitope_frame(frame, knowsJumps: hasJumps)
                return epitope_program_set_frame(handle.pointer, &site, &value) == 0
            }
        }
    }

    /// Whether there is room for another mark.
    var hasRoomForMarks: Bool { handle.withLock { epitope_program_has_room_for_marks($0.pointer) } }

    /// Once there is room for marks again: see `epitope_program_recover_marks`.
    func recoverMarks() -> Bool { handle.withLock { epitope_program_recover_marks($0.pointer) == 0 } }

    /// The counters, by `epitope_counter`.
    var counters: [UInt64] {
        var values = [UInt64](repeating: 0, count: Int(EPITOPE_COUNTERS.rawValue))
        _ = handle.withLock { epitope_program_counters($0.pointer, &values) }
        return values
    }

    /// Makes this program judge calls, and that of an earlier agent stand by; undone if `replace` throws.
    func begin(_ replace: () throws(EpitopeError) -> Void) throws(EpitopeError) {
        var before = epitope_agent()
        let result = handle.withLock { epitope_program_begin($0.pointer, &before) }
        guard result == 0 else { throw Self.failure(-result, "the kernel program could not be activated") }
        do {
            try replace()
        } catch {
            _ = handle.withLock { epitope_program_undo_begin($0.pointer, &before) }
            throw error
        }
        handle.withLock { $0.hasBegun = true }
    }

    /// A program's instructions, as the kernel runs them.
    func instructions(of program: String) -> [UInt64] {
        var instructions = [UInt64](repeating: 0, count: 1 << 16)
        let count = handle.withLock { epitope_program_instructions($0.pointer, program, &instructions, UInt32(instructions.count)) }
        return Array(instructions.prefix(Int(max(0, count))))
    }

    /// Removes what earlier agents pinned. Returns how many of their reports can't be read.
    func retireOthers() throws(EpitopeError) -> Int {
        let result = handle.withLock { epitope_program_retire_others($0.pointer) }
        guard result >= 0 else { throw Self.failure(-result, "what an earlier agent pinned could not be removed") }
        return Int(result)
    }

    /// The program stays in force without this process.
    func leave() { _ = handle.withLock { epitope_program_leave($0.pointer) } }

    /// The program judges no more calls. Events can still be read.
    func detach() { _ = handle.withLock { epitope_program_detach($0.pointer) } }

    /// Removes what is pinned, so that nothing is left for another agent.
    func removePins() { _ = handle.withLock { epitope_program_remove_pins($0.pointer) } }

    /// The map of events; valid as long as this object is.
    var events: Int32 { handle.withLock { epitope_program_events($0.pointer) } }

    /// The cost of a program so far (needs `kernel.bpf_stats_enabled`), and its length in instructions.
    func cost(of program: String) -> (runs: UInt64, nanoseconds: UInt64, instructions: UInt32)? {
        var runs: UInt64 = 0
        var nanoseconds: UInt64 = 0
        var instructions: UInt32 = 0
        let result = handle.withLock { epitope_program_cost($0.pointer, program, &runs, &nanoseconds, &instructions) }
        return result == 0 ? (runs, nanoseconds, instructions) : nil
    }
}

extension epitope_frame {
    /// - Parameter knowsJumps: whether the kernel program was told of the library's jumps.
    fileprivate init(_ frame: LibraryFrames.Frame, knowsJumps: Bool) {
        self.init()
        size = UInt32(frame.end.distance)
        function = knowsJumps ? frame.function : 0
        is_from_frame_pointer = frame.end.base == .framePointer ? 1 : 0
        is_pointed_at = frame.isPointedAt ? 1 : 0
        call_number = frame.callNumber ?? UInt16(EPITOPE_ANY_CALL)
        switch frame.end.framePointer {
        case .unchanged: break
        case .saved(let distance): if let distance = UInt16(exactly: distance) { saved = distance } else { frame_pointer_is_lost = 1 }
        case .lost: frame_pointer_is_lost = 1
        }
    }
}
