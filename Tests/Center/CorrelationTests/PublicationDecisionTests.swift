// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import Testing

@Suite("What one site says alone is not published")
struct PublicationDecisionTests {
    private func witness(_ networks: String..., trusted: Bool = false) -> PublicationDecision.Witness {
        PublicationDecision.Witness(networks: Set(networks), isTrusted: trusted)
    }

    private func isPublished(_ witnesses: PublicationDecision.Witness...) -> Bool { PublicationDecision(witnesses) == .publish }

    @Test func `two sites that share no network are enough, and one that is trusted`() {
        #expect(!isPublished())
        #expect(!isPublished(witness("192.0.2.0/24")))
        #expect(!isPublished(witness("192.0.2.0/24"), witness("192.0.2.0/24")))
        #expect(isPublished(witness("192.0.2.0/24"), witness("198.51.100.0/24")))
        #expect(isPublished(witness(trusted: true)))
    }

    @Test func `a site that moved shares every network that it was seen from`() {
        #expect(!isPublished(witness("192.0.2.0/24", "198.51.100.0/24"), witness("198.51.100.0/24")))
        #expect(isPublished(witness("a", "b"), witness("b", "c"), witness("c", "d")), "the first and the last share none")
    }

    @Test func `a network that is not known makes nobody independent`() {
        #expect(!isPublished(witness(), witness("192.0.2.0/24")))
        #expect(!isPublished(witness(), witness()))
    }

    @Test(arguments: [
        (["a"], "waits for a second site, or for trust in the one that reported it"),
        (["a", "a"], "waits for a second site: of the 2 that reported it no two are independent (they share a network: a)"),
    ])
    func `the reason names what is missing`(networks: [String], reason: String) {
        #expect(PublicationDecision(networks.map { witness($0) }) == .wait(reason))
    }

    @Test(arguments: [
        ("192.0.2.77", "192.0.2.0/24"), ("::ffff:192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("::1", "::/48"),
    ])
    func `an address counts as its network`(address: String, network: String) throws {
        #expect(try #require(IPAddress(address)).sourceNetwork == network)
    }
}
