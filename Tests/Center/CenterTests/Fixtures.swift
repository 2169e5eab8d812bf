// SPDX-License-Identifier: Apache-2.0

import CenterServer
import CenterStore
import EpitopeModel
import Foundation
import LocalCenter
import PacketCoding
import Rendering
import SignatureProving
import Signatures
import Synchronization
import TestSupport

@testable import SecureChannel

/// A clock that stands still until it is moved.
final class TestClock: Sendable {
    static let day: Int64 = Duration.days(1).inMilliseconds

    private let time = Mutex<Double>(1_700_000_000_000)

    var clock: CenterClock {
        CenterClock { self.time.withLock { $0 } }
    }

    func advance(milliseconds: Int64) {
        time.withLock { $0 += Double(milliseconds) }
    }
}

enum Fixture {
    /// Each host's own.
    static func address(of host: String) -> IPAddress {
        // FNV-1a.
        let hash = host.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        return IPAddress("10.\(hash >> 16 & 255).\(hash >> 8 & 255).\(hash & 255)")!
    }

    static let host = Identity(role: .host, name: "host-1")
    static let site = Identity(role: .localCenter, name: "site-1")

    /// Signatures are proven without goodware, for tests of what comes before and after.
    static let provers = ProverSource(ProverSettings(requireGoodware: false))

    /// 96 bytes that no other attack shares a run with.
    static func code(attack: UInt8) -> ExtractedCode {
        var state = UInt32(attack) &* 2_654_435_761 &+ 12345
        let bytes = (0..<96).map { _ -> UInt8 in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(truncatingIfNeeded: state >> 24)
        }
        return ExtractedCode(base: 0x1000, bytes: bytes, isWholeRegion: true)
    }

    static func packet(
        attack: UInt8, number: Int = 0, host: String = "host-1", evidence: [EvidenceKind] = [.directCall],
        port: UInt16 = 1434
    ) -> ExtractedPacket {
        var packet = Samples.packet(
            id: Hex.encode([attack] + withUnsafeBytes(of: Int64(number).bigEndian, Array.init) + Array(host.utf8.suffix(7)))
                .padding(toLength: 32, withPad: "0", startingAt: 0), hostID: host)
        packet.content = .code(code(attack: attack))
        packet.callersAddress = 0x1000 + 64
        packet.evidence = evidence.map { Evidence(kind: $0, detail: "test") }
        packet.parameters.process.listening = [
            .init(transport: .udp, local: SocketEndpoint(address: "0.0.0.0", port: port))
        ]
        return packet
    }

    static func signature(attack: UInt8) -> Signature {
        Signature(
            tokens: [.init(bytes: Array(code(attack: attack).bytes[32..<64]))],
            context: SignatureContext(transport: .udp, ports: [1434], direction: .toService))
    }

    /// The number of the rule that a site makes of a signature, where no other rule has it.
    static func number(of signature: Signature) -> UInt32 { SIDRange.number(ofSignature: signature.id, in: SIDRange.ofSite) }

    static func number(attack: UInt8) -> UInt32 { number(of: signature(attack: attack)) }

    static func update(attack: UInt8, revision: Int = 1, created: Int64 = 1_700_000_000_000) -> SignatureUpdate {
        let signature = signature(attack: attack)
        return SignatureUpdate(
            signature: signature, revision: revision, origin: .site, createdMilliseconds: created, lifetimeDays: 90,
            proof: Proof(checks: [Proof.Check(.matchesSamples, passed: true, "1 of 1 packets of the cluster matched")]))
    }
}

extension ReceivedPacket {
    /// A packet as if it had come in, from its host's address.
    init(_ packet: ExtractedPacket) throws(EpitopeError) {
        try self.init(encoded: packet.encoded())
        source = Fixture.address(of: packet.parameters.system.hostID ?? "host-1")
    }
}

/// As their senders, whose certificates are in force.
extension CenterRequestHandling {
    func receive(_ packet: ReceivedPacket, from sender: Identity) async throws -> Receipt {
        try await receive(packet, from: PeerCertificate(sender))
    }

    func receive(_ forward: ForwardedPacket, from sender: Identity) async throws -> Receipt {
        try await receive(forward, from: PeerCertificate(sender))
    }

    func receive(_ update: SignatureUpdate, from sender: Identity) async throws -> Receipt {
        try await receive(update, from: PeerCertificate(sender))
    }
}

extension PeerCertificate {
    init(_ identity: Identity, issuedMilliseconds: Int64 = .max) {
        self.init(identity: identity, issuedMilliseconds: issuedMilliseconds, beginsMilliseconds: 0, expiresMilliseconds: .max)
    }
}

struct Unexpected: Error, CustomStringConvertible {
    var description: String
}

/// Waits until something holds; half a minute is the bound for a machine that is busy with something else.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    for _ in 0..<3000 {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    throw Unexpected(description: "never happened: \(what)")
}
