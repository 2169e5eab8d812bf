// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Testing

@testable import CenterStore

@Suite("Texts of the store are decoded once")
struct DecodedTextsTests {
    @Test func `what a text stands for doesn't change, however many others came`() throws {
        let texts = DecodedTexts<[Int]>(max: 8)
        for round in 0..<3 {
            for number in 0..<20 { #expect(try texts.value("[\(number)]") == [number], "round \(round)") }
        }
        #expect(texts.count <= 17)
    }

    @Test func `a text that can't be read is an error each time`() {
        let texts = DecodedTexts<[Int]>(max: 8)
        for _ in 0..<2 {
            #expect(throws: EpitopeError.self) { try texts.value("[x") }
        }
        #expect(texts.count == 0)
    }
}
