// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Logging
import Synchronization

/// Tells of refused requests, within bounds: a sender that is refused ten thousand times a second must not fill the disk with
/// lines about it.
final class RefusalLog: Sendable {
    private let budget = Mutex(LineBudget())

    /// - Returns: whether it is told, or need not be.
    @discardableResult
    func refused(_ path: String, _ error: EpitopeError, by logger: Logger) -> Bool {
        // Nothing is amiss with an offer that is not taken.
        guard error.code != .codeWanted else { return true }
        guard let untold = budget.withLock({ $0.take(now: .now) }) else { return false }
        if untold > 0 { logger.notice("Refused requests were not told of", metadata: ["count": "\(untold)"]) }
        logger.notice(
            "Refused a request", metadata: ["path": "\(path)", "code": "\(error.code.rawValue)", "reason": "\(error.message)"])
        return true
    }
}

/// So many lines a minute.
struct LineBudget: Sendable {
    static let lines = 120
    static let minute = Duration.seconds(60)

    private var begun: ContinuousClock.Instant?
    private var told = 0
    private var untold = 0

    /// - Returns: how many were not told of since the last line; `nil`: this one isn't either.
    mutating func take(now: ContinuousClock.Instant) -> Int? {
        if begun.map({ now - $0 >= Self.minute }) ?? true { (begun, told) = (now, 0) }
        guard told < Self.lines else {
            untold += 1
            return nil
        }
        told += 1
        defer { untold = 0 }
        return untold
    }
}
