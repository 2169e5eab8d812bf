// SPDX-License-Identifier: Apache-2.0

import Correlation
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

    @Test func `as many are independent as share no network with each other`() {
        func count(_ networks: [String]...) -> Int {
            PublicationDecision.countIndependent(networks.map { .init(networks: Set($0), isTrusted: false) })
        }
        #expect(count() == 0 && count([]) == 1 && count(["a"]) == 1)
        #expect(count(["a"], ["a"], ["a"]) == 1 && count(["a"], ["b"], ["c"], ["c"]) == 3)
        #expect(count(["a", "b"], ["b"], ["c"]) == 2)
        #expect(count(["b", "c"], ["a", "b"], ["c", "d"]) == 2, "the first two share one, and so do the first and the last")
        #expect(count([], ["a"]) == 1)
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
}
