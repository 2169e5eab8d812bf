// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SecureChannel
import Synchronization

/// How often each sender may ask for something that costs the center a row and more: so many at once, then one in each interval.
///
/// Source of the method: the generic cell rate algorithm (ITU-T I.371): of each sender only the time is kept at which its next request
/// would be due.
struct SenderRation: Sendable {
    /// How many may come at once, at least 1.
    let burst: Int64
    let intervalMilliseconds: Int64
    /// When so many senders came since the last time, those of whom nothing need be known are forgotten.
    private let max: Int
    private var due: [Identity: Int64] = [:]
    private var earlier: [Identity: Int64] = [:]

    init(burst: Int64, each interval: Duration, max: Int = 65_536) {
        self.burst = burst
        intervalMilliseconds = interval.inMilliseconds
        self.max = max
    }

    /// How many senders are known.
    var count: Int { due.count + earlier.count }

    /// Takes a request of a sender, if it may come now.
    ///
    /// - Returns: how long it has to wait, in milliseconds; `nil`: it was taken.
    mutating func take(_ sender: Identity, nowMilliseconds now: Int64) -> Int64? {
        let next = next(sender, now)
        let wait = next - now - (burst - 1) * intervalMilliseconds
        guard wait <= 0 else { return wait }
        keep(next + intervalMilliseconds, of: sender, now)
        return nil
    }

    /// Gives back what a request took that came to nothing, through no fault of its sender.
    mutating func giveBack(_ sender: Identity, nowMilliseconds now: Int64) {
        keep(next(sender, now) - intervalMilliseconds, of: sender, now)
    }

    private func next(_ sender: Identity, _ now: Int64) -> Int64 {
        guard let known = due[sender] ?? earlier[sender] else { return now }
        // Further ahead than any request could put it: the clock was set back meanwhile.
        return known - now > burst * intervalMilliseconds ? now : Swift.max(now, known)
    }

    private mutating func keep(_ time: Int64, of sender: Identity, _ now: Int64) {
        if due.count >= max { (due, earlier) = ([:], due.filter { $0.value > now }) }
        due[sender] = time
    }
}

/// The rations of a center's requests.
final class SenderRations: Sendable {
    /// A certificate is renewed every 60 days; a second time at once where the first one was lost.
    private let renewals = Mutex(SenderRation(burst: 2, each: .hours(1)))
    /// A host tells what it withheld once an hour, and at the turn of the day.
    private let notes = Mutex(SenderRation(burst: 6, each: .seconds(600)))

    /// A host asks once a minute which version it is to run.
    private let agentQuestions = Mutex(SenderRation(burst: 120, each: .seconds(5)))

    /// - Throws: `sender-too-often`.
    func takeAgentQuestion(_ sender: Identity, nowMilliseconds: Int64) throws(EpitopeError) {
        try require(agentQuestions.withLock { $0.take(sender, nowMilliseconds: nowMilliseconds) }, "asks for its version", sender)
    }

    /// - Throws: `sender-too-often`.
    func takeRenewal(_ sender: Identity, nowMilliseconds: Int64) throws(EpitopeError) {
        try require(renewals.withLock { $0.take(sender, nowMilliseconds: nowMilliseconds) }, "renews its certificate", sender)
    }

    func giveBackRenewal(_ sender: Identity, nowMilliseconds: Int64) {
        renewals.withLock { $0.giveBack(sender, nowMilliseconds: nowMilliseconds) }
    }

    /// - Throws: `sender-too-often`.
    func takeNote(_ sender: Identity, nowMilliseconds: Int64) throws(EpitopeError) {
        try require(notes.withLock { $0.take(sender, nowMilliseconds: nowMilliseconds) }, "tells what it withheld", sender)
    }

    private func require(_ wait: Int64?, _ what: String, _ sender: Identity) throws(EpitopeError) {
        guard let wait else { return }
        throw ServerErrors.tooOften(sender, what, seconds: Int((wait + 999) / 1000))
    }
}
