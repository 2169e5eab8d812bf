// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Synchronization

/// What became of this program's reports so far.
public struct ReportTally: Hashable, Sendable {
    /// Calls that were reported to the pipeline.
    public var reports = 0
    /// Packets in the spool: sent, or to be sent. Packets that had waited for the quota count, too.
    public var spooled = 0
    public var sent = 0
    /// Of those the ones that went from memory, since they could not be stored.
    public var sentUnstored = 0
    public var duplicates = 0
    /// Packets of which less went to the spool, by the link's budget.
    public var reduced = 0
    /// Packets that wait for the quota.
    public var overQuota = 0
    /// Packets that waited for the quota and were given up for heavier ones.
    public var givenUp = 0
    public var spoolFull = 0
    /// Reports that could not be made into packets or stored.
    public var failed = 0
    /// Signatures that are the caller window although the host asks for what is unique: the images of the process could not be read as a
    /// whole, or the index could not be asked, or nothing was unique.
    public var notUnique = 0
    /// Reports that a limiter suppressed: not in ``reports``.
    public var suppressed = 0
    /// Reports that a full buffer lost, not in ``reports``; and packets that could not be stored until the end.
    public var lost = 0
    /// When the quota allows the next packet that waits, in milliseconds since 1970; `nil`: none waits, or it allows none.
    public var quotaFreesMilliseconds: Int64?
    /// Why the last attempt to send failed; `nil` after a success.
    public var sendingFailure: EpitopeError?
    /// Why the store can't be used; `nil` while it can.
    public var storeFailure: EpitopeError?

    public init() {}
}

/// Reports that were never made, as a backend counts them from its start on.
public struct UnreportedCounts: Hashable, Sendable {
    /// By a limiter.
    public var suppressed: UInt64
    /// By a full buffer.
    public var lost: UInt64

    public init(suppressed: UInt64 = 0, lost: UInt64 = 0) {
        self.suppressed = suppressed
        self.lost = lost
    }

    /// What was counted since; 0 for a count that has begun anew.
    public static func - (counts: UnreportedCounts, before: UnreportedCounts) -> UnreportedCounts {
        func since(_ count: UInt64, _ before: UInt64) -> UInt64 { count > before ? count - before : 0 }
        return UnreportedCounts(suppressed: since(counts.suppressed, before.suppressed), lost: since(counts.lost, before.lost))
    }
}

/// The tally of a pipeline, which its parts keep together.
final class TallyBook: Sendable {
    private let tally = Mutex(ReportTally())

    var current: ReportTally { tally.withLock { $0 } }

    func update(_ change: (inout ReportTally) -> Void) {
        tally.withLock { change(&$0) }
    }
}
