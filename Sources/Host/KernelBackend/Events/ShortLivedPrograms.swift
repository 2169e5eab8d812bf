// SPDX-License-Identifier: Apache-2.0

import FileAccess
import ProcessInspection

/// What can be told of a caller's code when its process has ended, or runs another program: whether it is what a packed program unpacked,
/// by the program's file and by what the kernel program saw. Less than of a process that lives (``PackedProgram``): what was written over
/// the program's code isn't told from it.
///
/// Where anything isn't known, nothing is explained. It must be used on one thread only.
final class ShortLivedPrograms {
    /// How many files are remembered.
    private static let maxFiles = 256

    /// What files are, also once they were removed: a file in a state is found by it, and never is another.
    private var files: [FileAtCall: PackedExecutable?] = [:]

    /// The path of the packed program that unpacked the code at an event's caller; `nil` for all other code.
    ///
    /// - Parameter process: the process, while it exists.
    func packedProgram(_ event: KernelEvent, _ process: Int32?) -> String? {
        let region = event.region
        // Where the kernel program has looked for other code, it found this one to be anonymous, private and not writable.
        guard let stackCode = event.stackCode, region.start < region.end, !event.program.mayBeReplaced,
            let executable = executable(of: event, process)
        else { return nil }
        for code in [region.start..<region.end, stackCode] where !code.isEmpty {
            guard executable.unpacks(into: code, processStartCode: event.program.startCode) else { return nil }
        }
        return event.program.path ?? event.command
    }

    /// Looks at the file of a process that lives, for when it has ended and the file was removed.
    func remember(_ event: KernelEvent, _ process: Int32) {
        if event.stackCode != nil { _ = executable(of: event, process) }
    }

    private func executable(of event: KernelEvent, _ process: Int32?) -> PackedExecutable? {
        guard let file = event.program.file, file.isUnmistakable(at: event.time) else { return nil }
        if let known = files[file] { return known }
        guard let (opened, _) = event.program.open(process) else { return nil }
        let executable = PackedExecutable(FileBytes(opened))
        if files.count >= Self.maxFiles { files.removeAll() }
        files[file] = .some(executable)
        return executable
    }
}
