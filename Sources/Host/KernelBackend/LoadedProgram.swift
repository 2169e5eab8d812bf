// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import EpitopeModel
import Foundation
import ProcessInspection
import Synchronization

/// The kernel program, loaded and attached. It is detached when the last who knows it lets go, unless a folder holds it.
///
/// libbpf's object is not for several threads at once: a lock keeps them apart.
final class LoadedProgram: Sendable {
    private let handle: Mutex<Handle>

    private struct Handle: @unchecked Sendable {
        // Only ever touched under the lock.
        let pointer: OpaquePointer
        var hasBegun = false
    }

    /// - Parameter folder: on a bpffs, where the program is held and an earlier one's remains are taken up.
    /// - Throws: `kernel-program-not-allowed`, `kernel-program-refused`, `holding-folder-unusable`.
    init(level: ProtectionLevel, policy: epitope_policy, heldIn folder: String? = nil) throws(EpitopeError) {
        if let folder { try PinnedProgram.prepare(folder) }
        let object = Self.object
        var log = [CChar](repeating: 0, count: 64 << 10)
        var failure: Int32 = 0
        var policy = policy
        let loaded = epitope_program_load(
            object, object.count, level.inKernel,
            SyscallClassTable.table(.x86_64), SyscallClassTable.table(.i386), &policy, folder, &log, log.count, &failure)
        guard let loaded else {
            let said = String(decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw Self.error(-failure, said, level)
        }
        handle = Mutex(Handle(pointer: loaded))
    }

    deinit {
        handle.withLock { handle in
            // What never judged is not to be held.
            if !handle.hasBegun {
                _ = epitope_program_detach(handle.pointer)
                _ = epitope_program_forget(handle.pointer)
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

    private static func error(_ failure: Int32, _ said: String, _ level: ProtectionLevel) -> EpitopeError {
        let reason = String(cString: strerror(failure))
        if failure == EPERM || (failure == EACCES && geteuid() != 0) {
            return EpitopeError(
                .kernelProgramNotAllowed, "the kernel program may not be loaded (\(reason))",
                remedy: "run epitope agent as root; in a container or virtual machine, the host must allow eBPF")
        }
        let last = said.split(separator: "\n").suffix(20).joined(separator: "\n    ")
        return EpitopeError(
            .kernelProgramRefused, "the kernel refused the program at the level of \(level.rawValue) (\(reason)):\n    \(last)",
            remedy: "Linux 5.17 or later with type information (/sys/kernel/btf/vmlinux) is needed; epitope run needs neither")
    }

    /// Marks the processes that made unbacked executable memory before the program was there.
    func findMarks() throws(EpitopeError) {
        let result = handle.withLock { epitope_program_find_marks($0.pointer) }
        guard result == 0 else { throw Self.error(-result, "the pass over all processes failed", .tracepoints) }
    }

    /// Puts another policy in force, at once and as a whole.
    func set(_ policy: epitope_policy) throws(EpitopeError) {
        var policy = policy
        let result = handle.withLock { epitope_program_set_policy($0.pointer, &policy) }
        guard result == 0 else { throw Self.error(-result, "the policy could not be replaced", .tracepoints) }
    }

    /// Sets what doesn't count for somebody; `nil` takes the exclusion away.
    func exclusion(_ key: epitope_exclusion_key, _ exclusion: epitope_exclusion?) throws(EpitopeError) {
        var key = key
        let result: Int32
        if var exclusion {
            result = handle.withLock { epitope_program_exclusion($0.pointer, &key, &exclusion) }
        } else {
            result = handle.withLock { epitope_program_exclusion($0.pointer, &key, nil) }
        }
        guard result == 0 || (exclusion == nil && result == -ENOENT) else {
            throw Self.error(-result, "the exclusion could not be set", .tracepoints)
        }
    }

    /// Holds a memory file to be the image that it is a copy of. The map drops its oldest and so has a place for it; where
    /// the kernel has none all the same, the file goes on being reported.
    func know(_ copy: KernelFile) {
        var file = epitope_file(inode: copy.inode, device: copy.device, generation: copy.generation)
        _ = handle.withLock { epitope_program_know_copy($0.pointer, &file) }
    }

    /// Makes the frames of a library known. Whether all of them had a place.
    func set(_ library: LibraryFrames) -> Bool {
        handle.withLock { handle in
            library.sizes.allSatisfy { offset, size in
                var site = epitope_site(inode: library.inode, offset: offset, device: library.device, unused: 0)
                return epitope_program_set_frame(handle.pointer, &site, size) == 0
            }
        }
    }

    /// What was counted, by `epitope_counter`.
    var counters: [UInt64] {
        var values = [UInt64](repeating: 0, count: Int(EPITOPE_COUNTERS.rawValue))
        _ = handle.withLock { epitope_program_counters($0.pointer, &values) }
        return values
    }

    /// Has the program judge, and the one of an earlier agent stand by; when `takeOver` fails, all is as it was before.
    func begin(_ takeOver: () throws(EpitopeError) -> Void) throws(EpitopeError) {
        var before = epitope_agent()
        let result = handle.withLock { epitope_program_begin($0.pointer, &before) }
        guard result == 0 else { throw Self.error(-result, "the program could not be told to begin", .tracepoints) }
        do {
            try takeOver()
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

    /// Takes away what earlier agents left. How many reports of theirs can't be read.
    func retireOthers() throws(EpitopeError) -> Int {
        let result = handle.withLock { epitope_program_retire_others($0.pointer) }
        guard result >= 0 else { throw Self.error(-result, "what an earlier agent left could not be taken away", .tracepoints) }
        return Int(result)
    }

    /// The program goes on without this process.
    func leave() { _ = handle.withLock { epitope_program_leave($0.pointer) } }

    /// The program judges no more. Events can still be read.
    func detach() { _ = handle.withLock { epitope_program_detach($0.pointer) } }

    /// Nothing is left for another agent.
    func forget() { _ = handle.withLock { epitope_program_forget($0.pointer) } }

    /// The map that events come through; as long as this is there.
    var events: Int32 { handle.withLock { epitope_program_events($0.pointer) } }

    /// What a program cost so far (needs `kernel.bpf_stats_enabled`), and its length in instructions.
    func cost(of program: String) -> (runs: UInt64, nanoseconds: UInt64, instructions: UInt32)? {
        var runs: UInt64 = 0
        var nanoseconds: UInt64 = 0
        var instructions: UInt32 = 0
        let result = handle.withLock { epitope_program_cost($0.pointer, program, &runs, &nanoseconds, &instructions) }
        return result == 0 ? (runs, nanoseconds, instructions) : nil
    }
}
