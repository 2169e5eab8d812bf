// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Signatures
import TestSupport

/// Signatures of every shape, and updates of them.
enum SignatureSeeds {
    static var signatures: [Signature] {
        let window = Samples.callerWindow
        let udp = SignatureContext(transport: .udp, ports: [1434], direction: .toService)
        let tcp = SignatureContext(transport: .tcp, ports: [80, 443, 8080], direction: .fromPeer)
        return [
            Signature(
                tokens: [.init(bytes: window)], context: udp,
                provenance: Provenance(strategy: .callerWindow, samples: 1, reasons: ["the bytes before the call"])),
            Signature(tokens: [.init(bytes: window, masked: [3, 4, 5, 20], gap: 0...16)], context: tcp),
            Signature(
                tokens: [
                    .init(bytes: Array(window[..<8])), .init(bytes: Array(window[8..<20]), masked: [2, 3], gap: 0...4),
                    .init(bytes: Array(window[20...]), gap: 7...7), .init(bytes: [0xcd, 0x80], gap: 0...Int(UInt32.max)),
                ],
                context: .any),
            Signature(
                tokens: [.init(bytes: Array(window[..<8])), .init(bytes: Array(window[8...]))], arrangement: .conjunction, context: tcp,
                provenance: Provenance(strategy: .conjunction, samples: 5, reasons: [])),
        ]
    }

    static var updates: [SignatureUpdate] {
        let check = Proof.Check(.init(rawValue: "matches-samples"), passed: true, "1 of 1 packets of the cluster matched")
        return signatures.enumerated().map { index, signature in
            SignatureUpdate(
                signature: signature, revision: 1 + index, origin: index % 2 == 0 ? .site : .global(sequence: 7),
                createdMilliseconds: 1_700_000_000_000, lifetimeDays: 90, proof: Proof(checks: [check]))
        }
    }

    /// With sorted keys, so that every run has the same seeds.
    static func json(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return [UInt8](try encoder.encode(value))
    }
}
