// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
public import EpitopeModel
public import Foundation

/// The kernel program as a folder of a bpffs holds it, with or without an agent. What is held there stays in force when the
/// agent is killed, and until the next one takes it over.
public struct PinnedProgram: Hashable, Sendable {
    /// Where the machine's agent has its program held.
    public static let defaultFolder = "/sys/fs/bpf/epitope"

    /// Whether a folder is on a file system that can hold a program.
    public static func canBeHeld(in folder: String) -> Bool { epitope_is_bpf_folder(folder) }

    /// The agent that reads what is reported; `nil`: there is none.
    public var agent: Int32?
    /// Since when there is that agent, or none.
    public var since: Date
    /// Reports that wait for an agent.
    public var unread: Int
    /// Reports of another version of Epitope, which this one can't read.
    public var unreadable: Int
    /// What was counted since the program was loaded first; `nil`: by another version.
    public var statistics: KernelBackend.Statistics?

    /// What a folder holds; `nil`: nothing is in force.
    ///
    /// - Throws: `holding-folder-unusable`.
    public static func look(in folder: String) throws(EpitopeError) -> PinnedProgram? {
        guard epitope_is_bpf_folder(folder) else { return nil }
        let object = LoadedProgram.object
        var held = epitope_held()
        let result = epitope_look_at_held(folder, object, object.count, &held)
        guard result == 0 else { throw .unusable(folder, -result) }
        return PinnedProgram(held)
    }

    private init?(_ held: epitope_held) {
        guard held.programs > 0 else { return nil }
        agent = held.agent.process == 0 ? nil : Int32(bitPattern: held.agent.process)
        var boot = timespec()
        clock_gettime(CLOCK_BOOTTIME, &boot)
        let now = Double(boot.tv_sec) + Double(boot.tv_nsec) / 1_000_000_000
        since = Date(timeIntervalSinceNow: Double(held.agent.since) / 1_000_000_000 - now)
        unread = Int(held.unread)
        unreadable = Int(held.unreadable)
        statistics = held.has_counters ? withUnsafeBytes(of: held.counters) { .init(Array($0.bindMemory(to: UInt64.self))) } : nil
    }

    /// Ends what a folder holds: nothing is judged from now on. Reports that nobody read are gone.
    ///
    /// - Throws: `holding-folder-unusable`.
    public static func release(_ folder: String) throws(EpitopeError) {
        guard epitope_is_bpf_folder(folder) else { return }
        let result = epitope_release_held(folder)
        guard result == 0 else { throw .unusable(folder, -result) }
    }

    /// Makes the folder where there is none.
    static func prepare(_ folder: String) throws(EpitopeError) {
        try check(folder)
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw .unusable(folder, errno) }
    }

    /// Whether a folder, which need not be there yet, can hold a program.
    ///
    /// - Throws: `holding-folder-unusable`.
    public static func check(_ folder: String) throws(EpitopeError) {
        let above = folder.lastIndex(of: "/").map { String(folder[..<$0]) } ?? "."
        guard epitope_is_bpf_folder(folder) || epitope_is_bpf_folder(above.isEmpty ? "/" : above) else {
            throw EpitopeError(
                .holdingFolderUnusable, "\(folder) is not on a bpffs: the kernel program can't be held there",
                remedy: "mount one (mount -t bpf bpf /sys/fs/bpf), name a folder on one with --pins, or use --pins none")
        }
    }
}

extension EpitopeError {
    fileprivate static func unusable(_ folder: String, _ cause: Int32) -> EpitopeError {
        EpitopeError(
            .holdingFolderUnusable,
            "the folder \(folder), which holds the kernel program, can't be used: \(String(cString: strerror(cause)))",
            remedy: "run as root, and see that \(folder) lies on a bpffs (mount -t bpf bpf /sys/fs/bpf); or use --pins none")
    }
}
