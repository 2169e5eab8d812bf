// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import Foundation
import SecureChannel
import Testing

@testable import KeyProcess

/// A key process signs within its bounds, whatever it is asked.
@Suite struct SigningBoundsTests {
    private static let now: Int64 = 1_800_000_000_000

    private static func order(
        _ purpose: CertificateOrder.Purpose = .enrolment, _ identity: Identity = Identity(role: .host, name: "web-1"), names: [String] = [],
        days: Int = 90, issued: Int64 = now
    ) -> CertificateOrder {
        CertificateOrder(
            purpose, for: identity, publicKey: P256.Signing.PrivateKey().publicKey.x963Representation, names: names, validityDays: days,
            issuedMilliseconds: issued)
    }

    private func code(_ counts: inout SigningCounts, _ order: CertificateOrder, at seconds: Int64 = 0) -> EpitopeError? {
        do throws(EpitopeError) {
            try counts.admit(order, nowMilliseconds: Self.now, time: .seconds(seconds))
            return nil
        } catch { return error }
    }

    @Test(arguments: [0, -1, 91, 36_500, Int.max, Int.min])
    func `a certificate for longer than the bound, or for no time, is refused`(days: Int) {
        var counts = SigningCounts(SigningBounds(), site: "site-1")
        #expect(code(&counts, Self.order(days: days))?.code == .signingRefused)
    }

    @Test(arguments: [6000, -6000, Int64.max / 2, Int64.min])
    func `a certificate of another time is refused`(difference: Int64) {
        var counts = SigningCounts(SigningBounds(), site: "site-1")
        let issued = difference == .min ? .min : Self.now + difference
        #expect(code(&counts, Self.order(issued: issued))?.code == .signingRefused)
        #expect(code(&counts, Self.order(issued: Self.now + 1)) == nil)
    }

    @Test func `a center's certificate is for that center alone`() {
        var counts = SigningCounts(SigningBounds(), site: "site-1")
        #expect(code(&counts, Self.order(.server, Identity(role: .center, name: "site-2"), names: ["a"]))?.code == .signingRefused)
        #expect(code(&counts, Self.order(.server, Identity(role: .center, name: "site-1"), names: ["a"])) == nil)
    }

    @Test func `so many are signed in a minute and in a day, and the refusal says when to come again`() {
        var bounds = SigningBounds()
        (bounds.maxPerMinute, bounds.maxPerDay) = (3, 5)
        var counts = SigningCounts(bounds, site: nil)
        func host(_ number: Int) -> CertificateOrder { Self.order(.enrolment, Identity(role: .host, name: "h\(number)")) }
        for number in 0..<3 { #expect(code(&counts, host(number), at: 10) == nil) }
        let refusal = code(&counts, host(3), at: 30)
        #expect(refusal?.code == .signingRationed)
        #expect(refusal?.retryAfterSeconds == 40)
        for number in 3..<5 { #expect(code(&counts, host(number), at: 70) == nil) }
        let ofDay = code(&counts, host(5), at: 200)
        #expect(ofDay?.code == .signingRationed)
        #expect(ofDay?.retryAfterSeconds == 86_400 - 190)
        #expect(code(&counts, host(5), at: 86_410) == nil)
    }

    @Test func `one host gets so many in a day, and keeps no other from its own`() {
        var bounds = SigningBounds()
        bounds.maxPerIdentity = 2
        var counts = SigningCounts(bounds, site: nil)
        #expect(code(&counts, Self.order(.enrolment)) == nil)
        #expect(code(&counts, Self.order(.renewal)) == nil)
        #expect(code(&counts, Self.order(.renewal))?.code == .signingRationed)
        #expect(code(&counts, Self.order(.renewal, Identity(role: .host, name: "web-2"))) == nil)
        #expect(code(&counts, Self.order(.renewal, Identity(role: .localCenter, name: "web-1"))) == nil)
        #expect(code(&counts, Self.order(.renewal), at: 86_400) == nil)
    }

    @Test func `what is refused counts for nothing`() {
        var bounds = SigningBounds()
        bounds.maxPerMinute = 1
        var counts = SigningCounts(bounds, site: nil)
        for _ in 0..<10 { #expect(code(&counts, Self.order(days: 91))?.code == .signingRefused) }
        #expect(code(&counts, Self.order()) == nil)
    }
}
