// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SignatureMaking
import Signatures
import TestSupport
import Testing

@testable import SignatureProving

@Suite("Each reporter counts as one")
struct ReporterSharesTests {
    private func samples(_ count: Int, by reporter: String?) -> [Sample] {
        (0..<count).map { _ in
            var sample = Sample(Samples.packet())
            sample.reporter = reporter
            return sample
        }
    }

    @Test func `many packets of one reporter are no more than few of another`() {
        let (junk, attack) = (samples(100, by: "a"), samples(2, by: "b"))
        #expect(ReporterShares(of: junk, among: junk + attack).isWithin(0.5))
        #expect(!ReporterShares(of: junk + attack.prefix(1), among: junk + attack).isWithin(0.5))
    }

    @Test func `of one reporter, and of none, each packet counts`() {
        for reporter in ["a", nil] {
            let all = samples(10, by: reporter)
            #expect(ReporterShares(of: Array(all.prefix(5)), among: all).isWithin(0.5))
            #expect(!ReporterShares(of: Array(all.prefix(6)), among: all).isWithin(0.5))
        }
    }

    @Test func `nothing of the bytes of a withdrawn signature is made again`() {
        let bytes = (0..<64).map { UInt8($0 * 3) }
        let withdrawn = WithdrawnBytes([Signature(tokens: [.init(bytes: Array(bytes[8..<40]))], context: .any)])
        func isPart(_ range: Range<Int>) -> Bool {
            withdrawn.isPart(of: Signature(tokens: [.init(bytes: Array(bytes[range]))], context: .any))
        }
        #expect(isPart(8..<40) && isPart(20..<52) && isPart(0..<64) && isPart(24..<56))
        #expect(!isPart(25..<57))
        #expect(!WithdrawnBytes([]).isPart(of: Signature(tokens: [.init(bytes: bytes)], context: .any)))
    }
}
