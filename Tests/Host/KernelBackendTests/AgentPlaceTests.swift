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
        #expect(WrittenPages(symbols: shown) == .toldByKernel)
        #expect(WrittenPages(symbols: shown).remedy == nil)
        let hidden = "0000000000000000 D vmemmap_base\n0000000000000000 D page_offset_base\n0000000000000000 T _text\n"
        #expect(WrittenPages(symbols: hidden) == .addressesHidden)
        #expect(WrittenPages(symbols: hidden).remedy == "set kernel.kptr_restrict to 1 (sysctl), and start the agent again")
        #expect(WrittenPages(symbols: "ffffffff81000000 T _text\n") == .notNamed)
        #expect(WrittenPages(symbols: nil) == .notNamed)
    }
}
