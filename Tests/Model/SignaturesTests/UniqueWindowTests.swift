// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import Signatures

@Suite struct UniqueWindowTests {
    private func random(_ count: Int, _ generator: inout SeededGenerator, letters: UInt8 = 255) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...letters, using: &generator) }
    }

    /// With few letters windows are alike by chance, so that they repeat within the code and in what is looked in.
    @Test(arguments: [8, 9, 31, 32, 33, 64, 256], [1, 3, 255] as [UInt8])
    func `Windows are found in content exactly where it holds them`(length: Int, letters: UInt8) {
        var generator = SeededGenerator(seed: UInt64(length) << 8 | UInt64(letters))
        for _ in 0..<4 {
            let code = random(Int.random(in: 0...600, using: &generator), &generator, letters: letters)
            var search = WindowSearch(code, length: length)
            var contents: [[UInt8]] = []
            for _ in 0..<3 {
                var content = random(700, &generator, letters: letters)
                if let start = code.indices.randomElement(using: &generator) {
                    content.replaceSubrange(100..<100, with: code[start...].prefix(Int.random(in: 0...300, using: &generator)))
                }
                contents.append(content)
                content.withUnsafeBytes { search.look(in: $0) }
            }
            let held = (0..<max(0, code.count - length + 1)).map { start in
                let window = Array(code[start..<start + length])
                return contents.contains { content in
                    content.count >= length && (0...content.count - length).contains { content[$0..<$0 + length].elementsEqual(window) }
                }
            }
            #expect(search.isHeld == held)
        }
    }

    @Test func `Long runs of one byte in code and content take no time`() {
        var search = WindowSearch([UInt8](repeating: 0, count: 8192), length: 32)
        [UInt8](repeating: 0, count: 200_000).withUnsafeBytes { search.look(in: $0) }
        #expect(search.isHeld.count == 8161 && search.isHeld.allSatisfy { $0 })
    }

    @Test func `The nearest window to the call that nothing else holds is chosen, those before it first`() {
        let code = [UInt8](0..<100)
        func start(_ caller: Int, held: (Int) -> Bool, length: Int = 32) -> Int? {
            UniqueWindow(in: code, caller: caller, length: length, isHeld: (0..<code.count - length + 1).map(held))?.start
        }
        #expect(start(60) { _ in false } == 28, "the caller window")
        #expect(start(60) { $0 == 28 } == 27)
        #expect(start(60) { (20...28).contains($0) } == 29, "behind it, where that is nearer")
        #expect(start(60) { $0 >= 10 } == 9)
        #expect(start(10) { _ in false } == 0, "moved forward, as the caller window is")
        #expect(start(10) { $0 < 5 } == 5)
        #expect(start(100) { _ in false } == 68)
        #expect(start(60) { _ in true } == nil)
        #expect(start(60, held: { _ in false }, length: 8) == 52)
        #expect(UniqueWindow(in: code, caller: 101, length: 32, isHeld: Array(repeating: false, count: 69)) == nil)
        #expect(UniqueWindow(in: [1, 2, 3], caller: 2, length: 32, isHeld: []) == nil)
    }

    @Test func `Fill is never unique`() {
        var code = [UInt8](repeating: 0x90, count: 200)
        code.replaceSubrange(0..<40, with: (0..<40).map { UInt8($0) })
        let found = UniqueWindow(in: code, caller: 200, length: 32, isHeld: Array(repeating: false, count: 169))
        // At most half of it is the fill.
        #expect(found?.start == 24)
        #expect(UniqueWindow(in: Array(code[60...]), caller: 100, length: 32, isHeld: Array(repeating: false, count: 109)) == nil)
    }
}
