// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// How many bytes of packets a host puts on its link to the centers. What is beyond that goes smaller: as a snippet, or as the signature
/// alone. It never keeps a packet back: what a packet is worth is the quota's matter.
public struct LinkBudget: Hashable, Sendable {
    /// Within any second; `nil`: as many as there are.
    public var bytesPerSecond: Int?
    /// Within a day (UTC).
    public var bytesPerDay: Int?

    public init(bytesPerSecond: Int? = nil, bytesPerDay: Int? = nil) {
        self.bytesPerSecond = bytesPerSecond
        self.bytesPerDay = bytesPerDay
    }

    /// Whether everything may go as it is.
    public var isUnlimited: Bool { bytesPerSecond == nil && bytesPerDay == nil }

    /// The smallest snippet that goes instead of code, in bytes on each side of the caller's address: the longest signature that a
    /// center makes of one call lies within it.
    public static let minSnippetSide = 256

    /// What goes of a packet.
    public enum Form: Hashable, Sendable {
        case asItIs
        /// At most so many bytes of code on each side of the caller's address.
        case snippet(side: Int)
        case signature
    }

    /// The largest form of a packet that is within the budget; the signature where none is.
    ///
    /// - Parameters:
    ///   - bytes: of the encoded packet.
    ///   - codeBytes: how many of them are code.
    ///   - copies: how many centers it goes to.
    ///   - use: of the link so far.
    public func form(bytes: Int, codeBytes: Int, copies: Int, use: LinkUse, nowMilliseconds now: Int64) -> Form {
        guard let room = room(use, nowMilliseconds: now) else { return .asItIs }
        let each = room / max(1, copies)
        guard bytes > each else { return .asItIs }
        let side = (each - (bytes - codeBytes)) / 2
        return side >= Self.minSnippetSide ? .snippet(side: side) : .signature
    }

    /// How many bytes are within the budget now; `nil`: any number.
    private func room(_ use: LinkUse, nowMilliseconds now: Int64) -> Int? {
        let ofSecond = bytesPerSecond.map { rate in
            let busy = min(LinkUse.second, use.busyMilliseconds(nowMilliseconds: now))
            return Int(Int64(rate) * (LinkUse.second - busy) / LinkUse.second)
        }
        let ofDay = bytesPerDay.map { max(0, $0 - use.bytes(onDayOf: now)) }
        return [ofSecond, ofDay].compactMap(\.self).min()
    }
}

/// What was put on a link so far.
public struct LinkUse: Hashable, Sendable {
    /// A day (UTC), in days since 1970-01-01, and the bytes of it.
    public var day: Int64
    public var bytesOfDay: Int
    /// When a link of just the budget's bytes a second would have carried all of it, in milliseconds since 1970.
    public var busyUntilMilliseconds: Int64

    public init(day: Int64 = 0, bytesOfDay: Int = 0, busyUntilMilliseconds: Int64 = 0) {
        self.day = day
        self.bytesOfDay = bytesOfDay
        self.busyUntilMilliseconds = busyUntilMilliseconds
    }

    static let second: Int64 = 1000
    /// A clock that ran ahead and was set back keeps the link busy no longer than that.
    private static let maxBusy = Duration.hours(1).inMilliseconds

    /// How long the link is busy with what was put on it.
    func busyMilliseconds(nowMilliseconds now: Int64) -> Int64 {
        let (rest, overflow) = busyUntilMilliseconds.subtractingReportingOverflow(now)
        return overflow || rest > Self.maxBusy ? 0 : max(0, rest)
    }

    /// The bytes of the day of a time.
    public func bytes(onDayOf now: Int64) -> Int { day == now / DailyQuota.windowMilliseconds ? bytesOfDay : 0 }

    /// Adds what is put on it.
    public mutating func add(_ bytes: Int, _ budget: LinkBudget, nowMilliseconds now: Int64) {
        bytesOfDay = self.bytes(onDayOf: now).addingReportingOverflow(bytes).partialValue
        day = now / DailyQuota.windowMilliseconds
        guard let rate = budget.bytesPerSecond, rate > 0 else { return }
        busyUntilMilliseconds = now + min(Self.maxBusy, busyMilliseconds(nowMilliseconds: now) + Int64(bytes) * Self.second / Int64(rate))
    }
}
