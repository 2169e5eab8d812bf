// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import KernelBackend

/// Options for how the agent starts and ends.
struct LifeCycleOptions: ParsableArguments {
    /// The value of `--pins` for no folder.
    static let noFolder = "none"

    @Option(
        help: ArgumentHelp(
            "A folder on a bpffs where the kernel program is pinned, so that protection stays in force when the agent is killed; or none.",
            discussion: "Default: \(PinnedProgram.defaultFolder) for the machine's agent, none for one with --state.",
            valueName: "folder"))
    var pins: String?

    @Flag(help: "Replace the running agent without a gap: it ends once this one's program is in force.")
    var replace = false

    @Flag(help: "End the protection that an agent left in force, and exit.")
    var release = false

    /// Where the program is pinned.
    ///
    /// - Parameters:
    ///   - state: `--state`.
    ///   - canPin: whether a folder is on a bpffs.
    /// - Returns: the folder; or a note for the user, if there is none although the options don't say so.
    static func folder(pins: String?, state: String?, canPin: (String) -> Bool) -> (folder: String?, note: String?) {
        if let pins { return (pins == noFolder ? nil : pins, nil) }
        guard state == nil else { return (nil, nil) }
        let parent = PinnedProgram.defaultFolder.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
        guard canPin(parent) else {
            return (
                nil, "protection will end with the agent, however it ends: no bpffs is mounted on \(parent) (mount -t bpf bpf \(parent))"
            )
        }
        return (PinnedProgram.defaultFolder, nil)
    }
}
