// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Testing

@testable import KernelBackend

/// Where the agent runs, and what the kernel shows it there.
@Suite struct AgentPlaceTests {
    @Test func `an agent in a namespace of process IDs is refused with the reason`() throws {
        try ProcessNamespace.requireMachine("pid:[4026531836]")
        try ProcessNamespace.requireMachine(nil)
        let failure = #expect(throws: EpitopeError.self) { try ProcessNamespace.requireMachine("pid:[4026532207]") }
        #expect(failure?.code == .agentInProcessNamespace)
        #expect(failure?.message.contains("pid:[4026532207]") == true)
        #expect(failure?.remedy.contains("--pid=host") == true)
    }

    @Test func `hidden kernel addresses are named with what to change`() {
        let shown = "ffffffff82a3c0e8 D vmemmap_base\nffffffff82a3c0f0 D page_offset_base\nffffffff81000000 T _text\n"
        #expect(WrittenPages(symbols: Array(shown.utf8)) == .toldByKernel)
        #expect(WrittenPages(symbols: Array(shown.utf8)).remedy == nil)
        let hidden = "0000000000000000 D vmemmap_base\n0000000000000000 D page_offset_base\n0000000000000000 T _text\n"
        #expect(WrittenPages(symbols: Array(hidden.utf8)) == .addressesHidden)
        #expect(WrittenPages(symbols: Array(hidden.utf8)).remedy == "set kernel.kptr_restrict to 1 (sysctl), and start the agent again")
        #expect(WrittenPages(symbols: Array("ffffffff81000000 T _text\n".utf8)) == .notNamed)
        #expect(WrittenPages(symbols: nil) == .notNamed)
    }

    /// A kernel names some 200,000 symbols, and its modules some of the same names.
    @Test func `the variables are found among all symbols, and those of modules are others`() {
        var symbols = Array("ffffffffc0000000 d page_offset_base\t[module]\n0000000000000000 D not_vmemmap_base\n".utf8)
        for number in 0..<200_000 { symbols += Array("ffffffff81\(100_000 + number) t symbol_\(number)\n".utf8) }
        #expect(WrittenPages(symbols: symbols) == .notNamed)
        symbols += Array("ffffffff82a3c0f0 D page_offset_base\n".utf8)
        #expect(WrittenPages(symbols: symbols) == .notNamed)
        #expect(WrittenPages(symbols: symbols + Array("ffffffff82a3c0e8 D vmemmap_base\n".utf8)) == .toldByKernel)
        #expect(WrittenPages(symbols: symbols + Array("0000000000000000 D vmemmap_base\n".utf8)) == .addressesHidden)
    }
}
