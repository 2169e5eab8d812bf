// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import Foundation
import KernelBackend
import ProgramMeasure
import ProgramTrace

/// The cost of the kernel program for processes without unbacked executable memory, while a command runs:
///
///     program-cost COMMAND [ARGUMENT...]
///     program-cost --empty-tracepoint
///
/// The second form attaches an empty program to the entry of every system call, prints that, and waits for a signal: to measure the
/// cost of the tracepoint itself.
///
/// `kernel.bpf_stats_enabled` must be set. Prints a line each, `NAME VALUE`:
///
///     tracepoint       nanoseconds per run of the tracepoint's program, by the kernel's count, which includes reading the clock
///     counting         the same for an empty program, attached beside it: the cost of counting
///     hook, hook-empty nanoseconds of an unmarked process's path through a hook, and of an empty program, each run a million times by
///                      the kernel (BPF_PROG_TEST_RUN)
///     …-instructions   executed on that path, without those of helpers
///     all-instructions the length of the tracepoint's program
@main enum ProgramCost {
    static func main() throws {
        let words = Array(CommandLine.arguments.dropFirst())
        guard let name = words.first else { exit(64) }
        guard name != "--empty-tracepoint" else { return try emptyTracepoint() }
        let backend = try KernelBackend(policy: Policy(action: .watch), level: .tracepoints)
        let object = measuringObject
        guard let measure = epitope_measure_load(object, object.count) else { fail("bpf/measure.bpf.c can't be loaded") }
        defer { epitope_measure_unload(measure) }
        guard epitope_measure_attach(measure, "empty_tracepoint") == 0 else { fail("the tracepoint can't be attached to") }
        guard let before = backend.cost, let emptyBefore = cost(measure, "empty_tracepoint") else { exit(1) }
        let command = Process()
        command.executableURL = URL(fileURLWithPath: name)
        command.arguments = Array(words.dropFirst())
        command.standardOutput = FileHandle.nullDevice
        try command.run()
        command.waitUntilExit()
        guard let after = backend.cost, let emptyAfter = cost(measure, "empty_tracepoint"), after.runs > before.runs,
            emptyAfter.runs > emptyBefore.runs
        else { fail("nothing was counted: set kernel.bpf_stats_enabled") }
        print("tracepoint", Double(after.nanoseconds - before.nanoseconds) / Double(after.runs - before.runs))
        print("counting", Double(emptyAfter.nanoseconds - emptyBefore.nanoseconds) / Double(emptyAfter.runs - emptyBefore.runs))
        for (program, label) in [("unmarked_path", "hook"), ("empty", "hook-empty")] {
            var nanoseconds: UInt32 = 0
            guard epitope_measure_repeat(measure, program, 1_000_000, &nanoseconds) == 0 else { fail("\(program) can't be run") }
            print(label, nanoseconds)
        }
        let path = try UnmarkedPath(of: backend.instructions.program, classes: backend.instructions.classes)
        print("tracepoint-instructions", path.critical.executed)
        print("other-instructions", path.other.executed)
        print(
            "hook-instructions",
            try InstructionTrace(of: instructions(measure, "unmarked_path"), context: 1) { KernelMemory.unmarked($1) }.executed)
        print("all-instructions", after.instructions)
        backend.stop()
    }

    private static func emptyTracepoint() throws {
        let object = measuringObject
        guard let measure = epitope_measure_load(object, object.count) else { fail("bpf/measure.bpf.c can't be loaded") }
        guard epitope_measure_attach(measure, "empty_tracepoint") == 0 else { fail("the tracepoint can't be attached to") }
        FileHandle.standardOutput.write(Data("attached\n".utf8))
        pause()
    }

    private static var measuringObject: [UInt8] {
        let text = KernelProgramObject.base64
        return Data(base64Encoded: Data(bytes: text.utf8Start, count: text.utf8CodeUnitCount)).map { [UInt8]($0) } ?? []
    }

    private static func cost(_ measure: OpaquePointer, _ program: String) -> (runs: UInt64, nanoseconds: UInt64)? {
        var runs: UInt64 = 0
        var nanoseconds: UInt64 = 0
        return epitope_measure_cost(measure, program, &runs, &nanoseconds) == 0 ? (runs, nanoseconds) : nil
    }

    private static func instructions(_ measure: OpaquePointer, _ program: String) -> [UInt64] {
        var room = [UInt64](repeating: 0, count: 4096)
        let count = epitope_measure_instructions(measure, program, &room, UInt32(room.count))
        return Array(room.prefix(Int(max(0, count))))
    }

    private static func fail(_ message: String) -> Never {
        FileHandle.standardError.write(Data("program-cost: \(message)\n".utf8))
        exit(1)
    }
}
