// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SecureChannel

/// What a key process signs, and how much of it: whoever gives it orders, with whatever right, gets no more.
public struct SigningBounds: Sendable {
    /// How much is signed in any minute, in all: some 200 enrolments a second.
    public var maxPerMinute = 15_000
    /// How much is signed in a day, in all: as many hosts as a center has, enrolled twice.
    public var maxPerDay = 100_000
    /// For how long a certificate may be valid, in days.
    public var maxValidityDays = CertificateAuthority.defaultValidityDays
    /// How many certificates one host or site gets in a day: more than a center has renewed for it.
    public var maxPerIdentity = 32
    /// How many certificates of its own the center gets in a day.
    public var maxOfServer = 12
    /// By how much an order's time may differ from this machine's clock: orders come from the same machine.
    public var maxClockDifference = Duration.seconds(5)

    public init() {}
}

/// What was signed lately, counted against the bounds. Time is that of a clock that doesn't jump: a wall clock that is set back and
/// forth gains nothing.
struct SigningCounts: Sendable {
    private let bounds: SigningBounds
    /// Of the authority; `nil`: its certificate doesn't say.
    private let site: String?
    private var minute = Window(length: .seconds(60))
    private var day = Window(length: .days(1))
    /// At most ``SigningBounds/maxPerDay`` identities.
    private var byIdentity: [Identity: Int] = [:]

    /// So many since the window began.
    private struct Window: Sendable {
        let length: Duration
        var begun: Duration?
        var count = 0

        init(length: Duration) { self.length = length }

        /// - Returns: whether another window has begun.
        mutating func move(to now: Duration) -> Bool {
            if let begun, now - begun < length { return false }
            (begun, count) = (now, 0)
            return true
        }

        func secondsLeft(at now: Duration) -> Int {
            Int(max(1, (length - (now - (begun ?? now))).inMilliseconds / 1000))
        }
    }

    init(_ bounds: SigningBounds, site: String?) {
        self.bounds = bounds
        self.site = site
    }

    /// Counts an order.
    ///
    /// - Parameters:
    ///   - nowMilliseconds: by this machine's clock.
    ///   - time: since any moment, by a clock that doesn't jump.
    /// - Throws: `signing-refused`, `signing-rationed`: then nothing is counted.
    mutating func admit(_ order: CertificateOrder, nowMilliseconds: Int64, time: Duration) throws(EpitopeError) {
        guard (1...bounds.maxValidityDays).contains(order.validityDays) else {
            throw KeyErrors.refused("a certificate for \(order.validityDays) days (at most \(bounds.maxValidityDays))")
        }
        let difference = order.issuedMilliseconds.subtractingReportingOverflow(nowMilliseconds)
        guard !difference.overflow, difference.partialValue.magnitude <= bounds.maxClockDifference.inMilliseconds.magnitude else {
            throw KeyErrors.refused("a certificate of another time than this machine's clock shows")
        }
        if order.purpose == .server, let site, order.identity.name != site {
            throw KeyErrors.refused("a certificate for another center than \(site)")
        }
        _ = minute.move(to: time)
        if day.move(to: time) { byIdentity = [:] }
        guard minute.count < bounds.maxPerMinute else {
            throw KeyErrors.rationed("\(minute.count) certificates in a minute", retryAfterSeconds: minute.secondsLeft(at: time))
        }
        guard day.count < bounds.maxPerDay else {
            throw KeyErrors.rationed("\(day.count) certificates in a day", retryAfterSeconds: day.secondsLeft(at: time))
        }
        let ofIdentity = byIdentity[order.identity, default: 0]
        guard ofIdentity < (order.purpose == .server ? bounds.maxOfServer : bounds.maxPerIdentity) else {
            throw KeyErrors.rationed(
                "\(ofIdentity) certificates of \(order.identity.role.rawValue) \(order.identity.name) in a day",
                retryAfterSeconds: day.secondsLeft(at: time))
        }
        minute.count += 1
        day.count += 1
        byIdentity[order.identity] = ofIdentity + 1
    }
}
