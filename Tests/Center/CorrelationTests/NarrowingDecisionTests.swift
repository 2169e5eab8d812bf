// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import Signatures
import Testing

@Suite("A rule on one host's word is narrowed to that host")
struct NarrowingDecisionTests {
    private func addresses(_ grade: EvidenceGrade, isEnough: Bool = false, _ sources: [String]) throws -> [String]? {
        let sources = try sources.map { try #require(IPAddress($0)) }
        return NarrowingDecision.addresses(grade: grade, isEnoughToDrop: isEnough, sources: sources)?.map(\.description)
    }

    @Test func `it is narrowed to where the host's connections came from, each once and in a fixed order`() throws {
        #expect(try addresses(.reported, ["192.0.2.1"]) == ["192.0.2.1"])
        let several = ["2001:db8::1", "192.0.2.9", "192.0.2.1", "192.0.2.9", "::ffff:192.0.2.1"]
        #expect(try addresses(.reported, several) == ["192.0.2.1", "192.0.2.9", "2001:db8::1"])
        #expect(try addresses(.reported, several.reversed()) == ["192.0.2.1", "192.0.2.9", "2001:db8::1"])
    }

    @Test func `evidence of a higher grade, or that the site takes for enough, is for the whole site`() throws {
        #expect(try addresses(.corroborated, ["192.0.2.1"]) == nil)
        #expect(try addresses(.confirmed, ["192.0.2.1"]) == nil)
        #expect(try addresses(.reported, isEnough: true, ["192.0.2.1"]) == nil)
    }

    @Test func `nothing is narrowed to addresses that are not known`() throws {
        #expect(try addresses(.reported, []) == nil)
    }
}
