// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import Scheduling
import Synchronization

/// How much of the disk a reporter may fill: so many bytes at once, and as many again over a day.
///
/// A host reports a handful of packets a day. One that an intruder has could fill the disk by itself, and then no other
/// host's packet would be stored. It is counted in memory: a center that restarts counts anew.
struct IntakeShare: Sendable {
    private static let day = Duration.days(1)

    /// Of a day.
    private let bytes: Double
    private var left: Double
    private var counted: ContinuousClock.Instant

    init(bytes: Int, now: ContinuousClock.Instant) {
        self.bytes = Double(bytes)
        left = Double(bytes)
        counted = now
    }

    /// Takes what a message needs.
    ///
    /// - Returns: how long until there is so much; `nil`: it was taken.
    mutating func take(_ count: Int, now: ContinuousClock.Instant) -> Duration? {
        left = min(bytes, left + bytes * ((now - counted) / Self.day))
        counted = now
        guard left < Double(count) else {
            left -= Double(count)
            return nil
        }
        // One that is larger than the whole share never fits; it is asked for again in a day.
        return min(Self.day, Self.day * ((Double(count) - left) / bytes))
    }

    /// Gives back what was taken for a message that takes no room after all.
    mutating func giveBack(_ count: Int) {
        left = min(bytes, left + Double(count))
    }

    /// Whether nothing of it is used any more.
    func isWhole(now: ContinuousClock.Instant) -> Bool {
        now - counted >= Self.day * (1 - left / bytes)
    }
}

/// The reporters' shares.
final class IntakeBook: Sendable {
    private let limit: LiveValue<Int>
    private var bytes: Int { limit.current }
    private let shares = Mutex<(of: [String: IntakeShare], lookAt: Int)>(([:], IntakeBook.leastLook))
    /// How many there are when those that are whole again are first looked for.
    private static let leastLook = 4096

    init(megabytes: Int) { limit = LiveValue(megabytes << 20) }

    /// Gives everyone another share. It is counted anew, as at a start.
    func follow(megabytes: Int) {
        guard limit.current != megabytes << 20 else { return }
        limit.current = megabytes << 20
        shares.withLock { $0 = ([:], Self.leastLook) }
    }

    var count: Int { shares.withLock { $0.of.count } }

    /// Takes what a message needs of its sender's share, and of that of the machine that it comes from: which may have many names, and
    /// many machines behind one address.
    ///
    /// - Throws: `sender-over-share`.
    func take(_ count: Int, of sender: Identity, at address: IPAddress? = nil, now: ContinuousClock.Instant = .now) throws(EpitopeError) {
        let wait = shares.withLock { shares -> Duration? in
            if shares.of.count >= shares.lookAt {
                shares.of = shares.of.filter { !$0.value.isWhole(now: now) }
                // Seldom enough that it costs each reporter little.
                shares.lookAt = max(Self.leastLook, 2 * shares.of.count)
            }
            let holders = holders(of: sender, at: address)
            for (place, holder) in holders.enumerated() {
                guard let wait = shares.of[holder.name, default: IntakeShare(bytes: holder.bytes, now: now)].take(count, now: now) else {
                    continue
                }
                for taken in holders[..<place] { shares.of[taken.name]?.giveBack(count) }
                return wait
            }
            return nil
        }
        guard let wait else { return }
        throw EpitopeError(
            .senderOverShare, "\(sender.name), or its address, has sent as much as may be stored in a day: \(bytes >> 20) MB of a sender",
            remedy: "find out why it reports so much; the setting megabytesPerReporter is the bound, and four times that of an address",
            retryAfterSeconds: max(1, Int(wait.components.seconds)))
    }

    /// Gives back what was taken for a message that was not stored, or was stored before: who has to send again and again because the
    /// center is busy has not filled the disk.
    func giveBack(_ count: Int, of sender: Identity, at address: IPAddress? = nil) {
        shares.withLock { shares in
            for holder in holders(of: sender, at: address) { shares.of[holder.name]?.giveBack(count) }
        }
    }

    /// A machine's share is that of so many senders.
    private static let sendersOfMachine = 4

    /// Whose shares a message takes of.
    private func holders(of sender: Identity, at address: IPAddress?) -> [(name: String, bytes: Int)] {
        let machine = address.map { ("machine:\(IPNetwork.machine(of: $0))", Self.sendersOfMachine * bytes) }
        return [(sender.reporter, bytes)] + (machine.map { [$0] } ?? [])
    }
}
