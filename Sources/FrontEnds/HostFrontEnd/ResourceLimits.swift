// SPDX-License-Identifier: Apache-2.0

import Dispatch
package import EpitopeModel
import Glibc
import Scheduling

/// The limits on this process (setrlimit(2)) that protection depends on. Below them it would fail later, and with an error that
/// says something else: a refused filter, a damaged disk, a crash.
package struct ResourceLimits: Hashable, Sendable {
    /// Each as the kernel has it; `UInt64.max`: none.
    package var openFiles: UInt64
    package var addressSpace: UInt64
    package var data: UInt64
    package var fileBytes: UInt64

    /// What is needed at least. Tried with the debug build: 12 descriptors, 400 MB of address space and 65 MB of data just do for a
    /// command that makes no call of interest.
    private static let minOpenFiles: UInt64 = 64
    private static let minAddressSpace: UInt64 = 512 << 20
    private static let minData: UInt64 = 128 << 20
    /// The event log's length, and the spool's beside it.
    private static let minFileBytes: UInt64 = 32 << 20

    package init(openFiles: UInt64, addressSpace: UInt64, data: UInt64, fileBytes: UInt64) {
        self.openFiles = openFiles
        self.addressSpace = addressSpace
        self.data = data
        self.fileBytes = fileBytes
    }

    /// The soft limits now.
    package static var current: ResourceLimits {
        ResourceLimits(
            openFiles: soft(RLIMIT_NOFILE), addressSpace: soft(RLIMIT_AS), data: soft(RLIMIT_DATA), fileBytes: soft(RLIMIT_FSIZE))
    }

    /// - Throws: `limit-too-low` for what keeps a command from being protected: then it is not run.
    package func check() throws(EpitopeError) {
        for (name, value, needed, shell, unit) in [
            ("open files", openFiles, Self.minOpenFiles, "-n", "LimitNOFILE"),
            ("bytes of address space", addressSpace, Self.minAddressSpace, "-v", "LimitAS"),
            ("bytes of data", data, Self.minData, "-d", "LimitDATA"),
        ] where value < needed {
            throw EpitopeError(
                .limitTooLow, "this process may have \(value) \(name), and needs \(needed) to protect a command",
                remedy: "raise the limit (ulimit \(shell), \(unit) of a unit), or lower it within the command alone")
        }
    }

    /// What a limit keeps from being stored, although calls are judged all the same; `nil`: nothing.
    package var storageWarning: EpitopeError? {
        guard fileBytes < Self.minFileBytes else { return nil }
        return EpitopeError(
            .limitTooLow,
            "files of this process may be \(fileBytes) bytes long: events and packets may not be stored; calls are judged all the same",
            remedy: "raise the limit to \(Self.minFileBytes) (ulimit -f, LimitFSIZE of a unit), or lower it within the command alone")
    }

    /// How many threads are needed beside the first: Swift's own pool waits for ever where the kernel gives it none.
    private static let minThreads = 8

    /// Checks that this process can have as many threads as it needs, before any is waited for, by starting them: limits on a user, on
    /// a control group (`pids.max`) and on memory keep it from that. It takes a fraction of a millisecond.
    ///
    /// - Throws: `limit-too-low`.
    package static func checkThreads() throws(EpitopeError) {
        guard !ThreadGate(minThreads).lets else { return }
        // Threads need stacks.
        try current.check()
        throw EpitopeError(
            .limitTooLow, "this process can't start the \(minThreads) threads that it needs",
            remedy: "raise the limit on processes and threads (ulimit -u, LimitNPROC or TasksMax of a unit), or end some of this user's")
    }

    private static func soft(_ resource: __rlimit_resource) -> UInt64 {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { return .max }
        return UInt64(limit.rlim_cur)
    }
}

/// Starts threads that live at once, to see whether that is possible, and lets them end.
private struct ThreadGate {
    let lets: Bool

    init(_ count: Int) {
        let opens = DispatchSemaphore(value: 0)
        var started = 0
        while started < count, (try? DedicatedThread.start({ opens.wait() })) != nil { started += 1 }
        for _ in 0..<started { opens.signal() }
        lets = started == count
    }
}

extension EpitopeError.Code {
    /// A limit of this process is too low for what it is to do.
    package static let limitTooLow = EpitopeError.Code("limit-too-low")
}
