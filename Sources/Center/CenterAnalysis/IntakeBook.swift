// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Synchronization

/// How much of the disk a reporter may fill: so many bytes at once, and as many again over a day.
///
/// A host reports a handful of packets a day. One that an intruder has could fill the disk by itself, and then no other
/// host's packet would be stored. It is counted in memory: a center that restarts counts anew.
struct IntakeShare: Sendable {
    private static let day = Duration.days(1)

    private var left: Double
    private var counted: ContinuousClock.Instant

    init(bytes: Int, now: ContinuousClock.Instant) {
        left = Double(bytes)
        counted = now
    }

    /// Takes what a message needs.
    ///
    /// - Parameter bytes: of a day's share.
    /// - Returns: how long until there is so much; `nil`: it was taken.
    mutating func take(_ count: Int, of bytes: Int, now: ContinuousClock.Instant) -> Duration? {
        left = min(Double(bytes), left + Double(bytes) * ((now - counted) / Self.day))
        counted = now
        guard left < Double(count) else {
            left -= Double(count)
            return nil
        }
        // One that is larger than the whole share never fits; it is asked for again in a day.
        return min(Self.day, Self.day * ((Double(count) - left) / Double(bytes)))
    }

    /// Gives back what was taken for a message that takes no room after all.
    mutating func giveBack(_ count: Int, of bytes: Int) {
        left = min(Double(bytes), left + Double(count))
    }

    /// Whether nothing of it is used any more.
    func isWhole(of bytes: Int, now: ContinuousClock.Instant) -> Bool {
        now - counted >= Self.day * (1 - left / Double(bytes))
    }
}

/// The reporters' shares.
final class IntakeBook: Sendable {
    private let bytes: Int
    private let shares = Mutex<(of: [String: IntakeShare], lookAt: Int)>(([:], IntakeBook.leastLook))
    /// How many there are when those that are whole again are first looked for.
    private static let leastLook = 4096

    init(megabytes: Int) { bytes = megabytes << 20 }

    var count: Int { shares.withLock { $0.of.count } }

    /// - Throws: `sender-over-share`.
    func take(_ count: Int, of sender: Identity, now: ContinuousClock.Instant = .now) throws(EpitopeError) {
        let reporter = "\(sender.role.rawValue):\(sender.name)"
        let wait = shares.withLock { shares in
            if shares.of.count >= shares.lookAt {
                shares.of = shares.of.filter { !$0.value.isWhole(of: bytes, now: now) }
                // Seldom enough that it costs each reporter little.
                shares.lookAt = max(Self.leastLook, 2 * shares.of.count)
            }
            return shares.of[reporter, default: IntakeShare(bytes: bytes, now: now)].take(count, of: bytes, now: now)
        }
        guard let wait else { return }
        throw EpitopeError(
            .senderOverShare, "\(sender.name) has sent as much as one sender may store in a day: \(bytes >> 20) MB",
            remedy: "find out why it reports so much; the setting megabytesPerReporter is the center's bound",
            retryAfterSeconds: max(1, Int(wait.components.seconds)))
    }

    /// Gives back what was taken for a message that was not stored, or was stored before: who has to send again and again because the
    /// center is busy has not filled the disk.
    func giveBack(_ count: Int, of sender: Identity) {
        shares.withLock { $0.of["\(sender.role.rawValue):\(sender.name)"]?.giveBack(count, of: bytes) }
    }
}
