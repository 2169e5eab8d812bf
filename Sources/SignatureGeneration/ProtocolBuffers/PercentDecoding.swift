// SPDX-License-Identifier: Apache-2.0

/// URL encoding, as Suricata 7.0.10 resolves it: a percent sign with two hexadecimal digits behind it, once. Others stay.
enum PercentDecoding {
    /// - Parameter isForm: whether a plus sign is a blank.
    /// - Returns: `nil` if nothing is to be resolved.
    static func decoded(_ bytes: ArraySlice<UInt8>, isForm: Bool) -> [UInt8]? {
        var decoded: [UInt8] = []
        var isChanged = false
        var place = bytes.startIndex
        while place < bytes.endIndex {
            let byte = bytes[place]
            if byte == UInt8(ascii: "%"), place + 2 < bytes.endIndex, let high = digit(bytes[place + 1]), let low = digit(bytes[place + 2])
            {
                decoded.append(high << 4 | low)
                isChanged = true
                place += 3
                continue
            }
            let isBlank = isForm && byte == UInt8(ascii: "+")
            decoded.append(isBlank ? UInt8(ascii: " ") : byte)
            isChanged = isChanged || isBlank
            place += 1
        }
        return isChanged ? decoded : nil
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
