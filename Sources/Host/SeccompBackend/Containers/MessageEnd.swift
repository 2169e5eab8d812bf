// SPDX-License-Identifier: Apache-2.0

/// Finds the end of a JSON object that is received in pieces. A runtime may keep its connection open, so the end of the
/// stream can't mark the end of the message; and bytes that can't start an object needn't be waited for.
struct MessageEnd {
    private var depth = 0
    private var isInText = false
    private var isEscaped = false
    private(set) var isComplete = false
    /// The bytes aren't an object, or something follows it.
    private(set) var isMalformed = false

    mutating func scan(_ bytes: some Sequence<UInt8>) {
        for byte in bytes where !isMalformed {
            if isInText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): continue
            case _ where isComplete: isMalformed = true
            case UInt8(ascii: "{"): depth += 1
            case _ where depth == 0: isMalformed = true
            case UInt8(ascii: "}"):
                depth -= 1
                isComplete = depth == 0
            case UInt8(ascii: "\""): isInText = true
            default: continue
            }
        }
    }
}
