import BehaviourBlocking
import Foundation
import KernelBackend

/// What the kernel program costs while a command runs, by the kernel's own count (`kernel.bpf_stats_enabled` must be set):
///
///     program-cost COMMAND [ARGUMENT...]
///
/// Prints `nanoseconds N instructions N`: the mean of a run, which includes the kernel's two looks at the clock, and the
/// length of the whole program after the verifier.
@main enum ProgramCost {
    static func main() throws {
        let words = Array(CommandLine.arguments.dropFirst())
        guard let name = words.first else { exit(64) }
        let backend = try KernelBackend(policy: Policy(action: .watch), level: .tracepoints)
        guard let before = backend.cost else { exit(1) }
        let command = Process()
        command.executableURL = URL(fileURLWithPath: name)
        command.arguments = Array(words.dropFirst())
        command.standardOutput = FileHandle.nullDevice
        try command.run()
        command.waitUntilExit()
        guard let after = backend.cost, after.runs > before.runs else { exit(1) }
        let mean = Double(after.nanoseconds - before.nanoseconds) / Double(after.runs - before.runs)
        print("nanoseconds \(mean) instructions \(after.instructions)")
        backend.stop()
    }
}
