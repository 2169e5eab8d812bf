// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Testing

@Suite struct HexTests {
    @Test func `reads what it writes`() {
        let bytes = (0...255).map { UInt8($0) }
        #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        #expect(Hex.encode([0x0f, 0x05]) == "0f05")
        #expect(Hex.decode("0F05") == [0x0f, 0x05])
    }

    @Test(arguments: ["0", "0g", "0x00", " 00", "é0"])
    func `refuses what is not hexadecimal`(text: String) {
        #expect(Hex.decode(text) == nil)
    }
}
