// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
public import EpitopeModel
public import Foundation

/// The kernel program as it is pinned in a folder of a bpffs, with or without an agent. It stays in force when the agent is killed, until
/// another agent adopts it.
public struct PinnedProgram: Hashable, Sendable {
    /// Where the machine's agent pins its program.
    public static let defaultFolder = "/sys/fs/bpf/epitope"

    /// Whether programs can be pinned in a folder.
    public static func canPin(in folder: String) -> Bool { epitope_is_bpf_folder(folder) }

    /// The agent's process ID; `nil`: there is none.
    public var agent: Int32?
    /// When that agent began, or the last one ended.
    public var since: Date
    /// Reports that no agent has read.
    public var unread: Int
    /// Reports in the format of another version of Epitope, which this one can't read.
    public var unreadable: Int
    /// Counted since the program was first loaded; `nil`: by another version.
    public var statistics: KernelBackend.Statistics?

    /// Inspects a folder; `nil`: nothing is in force.
    ///
    /// - Throws: `pins-folder-unusable`.
    public static func inspect(_ folder: String) throws(EpitopeError) -> PinnedProgram? {
        guard epitope_is_bpf_folder(folder) else { return nil }
        let object = LoadedProgram.object
        var pinned = epitope_pinned()
        let result = epitope_inspect_pinned(folder, object, object.count, &pinned)
        guard result == 0 else { throw .unusable(folder, -result) }
        return PinnedProgram(pinned)
    }

    private init?(_ pinned: epitope_pinned) {
        guard pinned.programs > 0 else { return nil }
        agent = pinned.agent.process == 0 ? nil : Int32(bitPattern: pinned.agent.process)
        since = BootClock.date(pinned.agent.since)
        unread = Int(pinned.unread)
        unreadable = Int(pinned.unreadable)
        statistics = pinned.has_counters ? withUnsafeBytes(of: pinned.counters) { .init(Array($0.bindMemory(to: UInt64.self))) } : nil
    }

    /// Ends the protection that is pinned in a folder: no call is judged from now on. Unread reports are lost.
    ///
    /// - Throws: `pins-folder-unusable`.
    public static func release(_ folder: String) throws(EpitopeError) {
        guard epitope_is_bpf_folder(folder) else { return }
        let result = epitope_release_pinned(folder)
        guard result == 0 else { throw .unusable(folder, -result) }
    }

    /// Creates the folder if it doesn't exist.
    static func prepare(_ folder: String) throws(EpitopeError) {
        try check(folder)
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw .unusable(folder, errno) }
    }

    /// Checks that programs can be pinned in a folder, which need not exist yet.
    ///
    /// - Throws: `pins-folder-unusable`.
    public static func check(_ folder: String) throws(EpitopeError) {
        let above = folder.lastIndex(of: "/").map { String(folder[..<$0]) } ?? "."
        guard epitope_is_bpf_folder(folder) || epitope_is_bpf_folder(above.isEmpty ? "/" : above) else {
            throw EpitopeError(
                .pinsFolderUnusable, "\(folder) is not on a bpffs: the kernel program can't be pinned there",
                remedy: "mount one (mount -t bpf bpf /sys/fs/bpf), name a folder on one with --pins, or use --pins none")
        }
    }
}

extension EpitopeError {
    fileprivate static func unusable(_ folder: String, _ cause: Int32) -> EpitopeError {
        EpitopeError(
            .pinsFolderUnusable,
            "the folder \(folder), where the kernel program is pinned, can't be used: \(String(cString: strerror(cause)))",
            remedy: "run as root, and check that \(folder) is on a bpffs (mount -t bpf bpf /sys/fs/bpf); or use --pins none")
    }
}
