// SPDX-License-Identifier: Apache-2.0

import BenchSupport
import EpitopeModel
import SignatureMaking
import SignatureProving
import Signatures
import TestSupport

/// Packets whose code is random bytes: nothing that could run, and nothing that any file holds.
enum InertPackets {
    static func sample(of code: [UInt8], caller: Int) -> Sample {
        Sample(
            code: ExtractedCode(base: 0x7f00_0000_0000, bytes: code, isWholeRegion: true),
            callersAddress: 0x7f00_0000_0000 + UInt64(caller), architecture: .x86_64,
            context: SignatureContext(transport: .tcp, ports: [8080], direction: .toService))
    }

    /// Proven signatures, each of one packet, and the code of the first ten.
    static func signatures(_ count: Int, _ prover: SignatureProver, seed: UInt64) throws -> ([Signature], planted: [[UInt8]]) {
        var random = SeededGenerator(seed: seed, "goodware")
        var signatures: [Signature] = []
        var planted: [[UInt8]] = []
        for number in 0..<count {
            if number % 100 == 0 { Report.progress("signature \(number) of \(count)") }
            let sample = Self.random(2048, &random)
            guard let proven = prover.prove([sample], given: try sample.callerWindow()).proven.first else { continue }
            signatures.append(proven.signature)
            if planted.count < 10 { planted.append(sample.code.bytes) }
        }
        return (signatures, planted)
    }

    static func random(_ length: Int, _ random: inout SeededGenerator) -> Sample {
        sample(of: random.bytes(length), caller: Int.random(in: 64...length - 64, using: &random))
    }
}

extension Sample {
    /// What a center starts from: the caller window.
    func callerWindow() throws -> Signature {
        Signature(tokens: [.init(bytes: try CallerWindow.extract(from: code, callersAddress: callersAddress))], context: context)
    }
}
