// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import Signatures
import Testing

@Suite("What becomes of an update by itself is said by the site's mode and the exceptions from it")
struct DeliveryModeTests {
    private func subject(
        port: UInt16 = 443, _ transport: TransportProtocol? = .tcp, grade: EvidenceGrade? = .reported, addresses: [String] = []
    ) -> ModePolicy.Subject {
        ModePolicy.Subject(
            context: SignatureContext(transport: transport, ports: [port], direction: .toService), grade: grade,
            addresses: addresses.compactMap { IPAddress($0) })
    }

    private func policy(_ mode: DeliveryMode, _ exceptions: String...) -> ModePolicy {
        ModePolicy(mode: mode, exceptions: exceptions.compactMap { ModeException($0) })
    }

    @Test(arguments: [
        "network 192.0.2.0/24: approve", "network 2001:db8::/32: observe", "port 443: automatic", "port 53/udp: observe",
        "grade reported: approve",
    ])
    func `an exception is read as it is written`(_ text: String) throws {
        #expect(try #require(ModeException(text)).description == text)
    }

    @Test(arguments: [
        "", "port 443", "port 443: maybe", "port 0: approve", "port 70000: approve", "port 53/sctp: approve", "port 1/tcp/udp: approve",
        "network 192.0.2.1: approve", "grade sure: approve", "host web-1: approve", "port 1 2: approve",
    ])
    func `another text is none`(_ text: String) {
        #expect(ModeException(text) == nil)
    }

    @Test func `the strictest exception that applies counts, and without one the site's mode`() {
        let some = policy(.approve, "port 443: automatic", "network 192.0.2.0/24: observe", "grade corroborated: approve")
        #expect(some.mode(of: subject()).mode == .automatic, "an exception may be laxer than the site")
        #expect(some.mode(of: subject(port: 80)).mode == .approve)
        #expect(some.mode(of: subject(addresses: ["198.51.100.1", "192.0.2.9"])).mode == .observe, "one of those who reported it")
        #expect(some.mode(of: subject(addresses: ["::ffff:192.0.2.9"])).mode == .observe)
        #expect(some.mode(of: subject(grade: .corroborated)).mode == .approve)
        #expect(some.mode(of: subject(addresses: ["192.0.2.9"])).reason == "by the setting modes: network 192.0.2.0/24: observe")
        #expect(some.mode(of: subject(port: 80, grade: nil)).reason == "by the setting mode: approve")
        let dns = policy(.automatic, "port 53/udp: observe")
        #expect(dns.mode(of: subject(port: 53, .tcp)).mode == .automatic)
        #expect(dns.mode(of: subject(port: 53, .udp)).mode == .observe)
        #expect(dns.mode(of: subject(port: 53, nil)).mode == .observe, "a rule for both")
        // Of a rule for any port, or of hosts in several networks, a stricter exception is about a part, and a laxer one about too little.
        let any = ModePolicy.Subject(
            context: SignatureContext(transport: .tcp, ports: [], direction: .toService), grade: .reported, addresses: [])
        #expect(policy(.automatic, "port 443: approve").mode(of: any).mode == .approve)
        #expect(policy(.approve, "port 443: automatic").mode(of: any).mode == .approve)
        let (one, both) = (subject(addresses: ["192.0.2.9"]), subject(addresses: ["192.0.2.9", "198.51.100.1"]))
        let lax = policy(.approve, "network 192.0.2.0/24: automatic")
        #expect(lax.mode(of: one).mode == .automatic && lax.mode(of: both).mode == .approve && lax.mode(of: subject()).mode == .approve)
        #expect(ModePolicy().isAutomatic && !dns.isAutomatic && dns.isByNetwork == false && some.isByNetwork)
    }
}

@Suite("A near variant is told from another signature of the attack")
struct NearVariantTests {
    private let bytes = (0..<200).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 / 7) }

    private func signature(_ range: Range<Int>, masked: [Int] = []) -> Signature {
        Signature(
            tokens: [.init(bytes: Array(bytes[range]), masked: masked)],
            context: SignatureContext(transport: .tcp, ports: [80], direction: .toService))
    }

    @Test func `moved by up to half, masked, lengthened or cut: near; other bytes: not`() {
        let own = signature(0..<32)
        func isNear(_ other: Signature) -> Bool {
            let (one, other) = (NearVariant.isNear(other, to: own), NearVariant.isNear(own, to: other))
            #expect(one == other, "either way")
            return one
        }
        #expect(isNear(own) && isNear(signature(8..<40)) && isNear(signature(16..<48)))
        #expect(!isNear(signature(20..<52)) && !isNear(signature(32..<64)) && !isNear(signature(100..<132)))
        #expect(isNear(signature(0..<200)) && isNear(signature(4..<28)))
        #expect(isNear(signature(0..<32, masked: [3, 20])))
        #expect(!isNear(signature(8..<40, masked: Array(stride(from: 5, to: 32, by: 6)))), "no run of eight is the same")
    }
}
