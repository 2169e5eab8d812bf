// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Scheduling
import Testing

@testable import SecureChannel

/// The addresses of a site's centers, and which is asked.
struct CenterListTests {
    private func list(_ texts: String...) throws -> CenterList { try CenterList(parsing: texts) }

    @Test func `a list is read from items and from commas, in its order, each address once`() throws {
        let read = try list("https://b.example:1, https://a.example:2", "https://b.example:1/")
        #expect(read.addresses.map(\.description) == ["https://b.example:1", "https://a.example:2"])
        #expect(read.first.host == "b.example")
        #expect(read.description == "https://b.example:1, https://a.example:2")
    }

    @Test(arguments: [[], [""], ["https://a.example,"], ["http://a.example"], (1...9).map { "https://a.example:\($0)" }])
    func `what is no list is refused`(_ texts: [String]) {
        #expect(throws: EpitopeError.self) { try CenterList(parsing: texts) }
    }

    @Test func `another order of the same centers changes nothing`() throws {
        let own = try list("https://a.example:1", "https://b.example:1")
        #expect(own.following(["https://b.example:1", "https://a.example:1"], from: own.first) == nil)
    }

    @Test func `what a center tells is taken in its order`() throws {
        let own = try list("https://a.example:1")
        let told = ["https://b.example:1", "https://a.example:1"]
        #expect(own.following(told, from: own.first)?.addresses.map(\.description) == told)
    }

    @Test func `the center that was reached stays, as the last, where it isn't told`() throws {
        let own = try list("https://a.example:1")
        let told = (1...8).map { "https://b.example:\($0)" }
        #expect(try own.following(["https://b.example:1"], from: own.first) == list("https://b.example:1", "https://a.example:1"))
        let followed = try #require(own.following(told, from: own.first))
        #expect(followed.addresses.count == 8 && followed.addresses.last == own.first)
        // Once another of them is reached, the old one goes.
        #expect(try followed.following(["https://b.example:1"], from: CenterAddress("https://b.example:1")) == list("https://b.example:1"))
    }

    @Test(arguments: [[], ["nonsense"], ["https://a.example:1"], (1...9).map { "https://b.example:\($0)" }])
    func `what says nothing new, or can't be used, changes nothing`(_ told: [String]) throws {
        let own = try list("https://a.example:1")
        #expect(own.following(told, from: own.first) == nil)
    }

    @Test func `settings that name an address twice are refused`() throws {
        try CenterList.validate(told: [])
        try CenterList.validate(told: ["https://a.example:1", "https://b.example:1"])
        #expect(throws: EpitopeError.self) { try CenterList.validate(told: ["https://a.example:1", "https://a.example:1"]) }
    }

    @Test func `the center that answered last is asked first, and the preferred one again after a while`() {
        var choice = CenterChoice(returns: Backoff(initial: .zero, maximum: .zero))
        #expect(choice.order(of: 3) == [0, 1, 2] && choice.returning == nil)
        choice.moved(to: 1)
        #expect(choice.order(of: 3) == [1, 0, 2] && choice.returning == 0)
        choice.moved(to: 0)
        #expect(choice.order(of: 3) == [0, 1, 2] && choice.returning == nil)
        var patient = CenterChoice()
        patient.moved(to: 2)
        #expect(patient.order(of: 3) == [2, 0, 1] && patient.returning == nil)
    }
}
