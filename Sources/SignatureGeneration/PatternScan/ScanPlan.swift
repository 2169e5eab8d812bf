// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// The literals to search for, and the signatures that each belongs to.
struct ScanPlan: Sendable {
    let matchers: [SignatureMatcher]
    let searches: [SignatureSearch]
    /// Without repetition: signatures of one family often share a literal.
    let literals: [[UInt8]]
    private let members: [[Int]]
    /// Signatures without a literal, which are matched on all data.
    let withoutLiteral: [Int]

    init(_ signatures: [Signature]) throws(EpitopeError) {
        var searches: [SignatureSearch] = []
        var numbers: [[UInt8]: Int] = [:]
        var literals: [[UInt8]] = []
        var members: [[Int]] = []
        var withoutLiteral: [Int] = []
        for (index, signature) in signatures.enumerated() {
            let search = try SignatureSearch(signature)
            searches.append(search)
            guard let literal = search.literal else {
                withoutLiteral.append(index)
                continue
            }
            if let number = numbers[literal] {
                members[number].append(index)
            } else {
                numbers[literal] = literals.count
                literals.append(literal)
                members.append([index])
            }
        }
        matchers = signatures.map { SignatureMatcher($0) }
        self.searches = searches
        self.literals = literals
        self.members = members
        self.withoutLiteral = withoutLiteral
    }

    func signatures(of literal: Int) -> [Int] { members[literal] }
}
