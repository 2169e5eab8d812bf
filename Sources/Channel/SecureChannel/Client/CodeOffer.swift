// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import PacketCoding

/// A packet without its code, which it names by its digest: a center that has the code from another report needs no more. One
/// that hasn't answers `code-wanted`, and the packet is sent whole.
///
/// Whoever knows a digest has had the code: digests are published nowhere. What is offered is put together and checked as if it
/// had come whole.
package struct CodeOffer: Hashable, Sendable {
    /// SHA-256 of the code.
    package let digest: [UInt8]
    /// Where the code belongs in the frame.
    package let place: Int
    package let frame: [UInt8]
    /// Where it is sent to, without the query.
    private let endpoint: String

    /// - Returns: `nil` for a packet that has no code, or too short a one.
    init?(_ packet: EncodedPacket) {
        self.init(DividedPacket(packet.bytes), to: ChannelPath.offers)
    }

    /// - Parameter forward: the wire form of a packet that a site forwards.
    /// - Returns: as ``init(_:)``.
    init?(forward: [UInt8]) {
        self.init(DividedPacket(forward: forward), to: ChannelPath.forwardOffers)
    }

    private init?(_ divided: DividedPacket?, to endpoint: String) {
        guard let divided else { return nil }
        digest = Array(SHA256.hash(data: divided.code))
        place = divided.place
        frame = divided.frame
        self.endpoint = endpoint
    }

    /// As it came in.
    ///
    /// - Parameters:
    ///   - code: the digest in hexadecimal digits, as the query has it.
    ///   - place: likewise.
    /// - Returns: `nil` where either is not of its form.
    package init?(code: Substring?, place: Substring?, frame: [UInt8]) {
        guard let code, code.utf8.count == 2 * SHA256.byteCount, let digest = Hex.decode(String(code)),
            let place = place.flatMap({ Int($0) }), (0...frame.count).contains(place)
        else { return nil }
        self.digest = digest
        self.place = place
        self.frame = frame
        endpoint = ChannelPath.offers
    }

    /// Path and query of the request.
    var path: String { "\(endpoint)?code=\(Hex.encode(digest))&at=\(place)" }

    /// The packet's wire form.
    package func joined(with code: [UInt8]) -> [UInt8]? {
        DividedPacket.join(frame: frame, place: place, code: code)
    }
}

/// Which packets are offered before they are sent whole.
///
/// A new code goes whole at once: to offer it would cost the first report of an attack a way there and back. Offered is what this
/// center has acknowledged the code of, and everything while it is busy, as in an outbreak, in which others report the same.
struct CodeOffers: Sendable {
    /// Digests that are remembered.
    static let maxKnown = 64
    /// How long a center counts as busy after it said so.
    static let busyTime = Duration.seconds(60)
    /// How long a center of an earlier version is not offered anything.
    static let notServedTime = Duration.hours(1)

    private var known: [[UInt8]] = []
    private var busyUntil: ContinuousClock.Instant?
    private var notServedUntil: ContinuousClock.Instant?

    func isDue(_ offer: CodeOffer, now: ContinuousClock.Instant) -> Bool {
        if let notServedUntil, now < notServedUntil { return false }
        if let busyUntil, now < busyUntil { return true }
        return known.contains(offer.digest)
    }

    /// The center has stored a packet with that code.
    mutating func acknowledged(_ offer: CodeOffer) {
        guard !known.contains(offer.digest) else { return }
        known.append(offer.digest)
        if known.count > Self.maxKnown { known.removeFirst() }
    }

    /// A packet, whole or offered, was not taken.
    mutating func refused(with code: EpitopeError.Code, now: ContinuousClock.Instant) {
        switch code {
        case .storeBusy, .senderBusy: busyUntil = now + Self.busyTime
        case .notServedHere: notServedUntil = now + Self.notServedTime
        default: break
        }
    }
}
