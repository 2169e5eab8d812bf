// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// The caller window: the 32 bytes that end at the caller's address, the first form of every signature.
///
/// The bytes before a critical call set up its arguments, so they are the part of the code that the attack can least
/// do without; for a direct call they end in the call instruction itself.
public enum CallerWindow {
    /// The window's length in bytes (DESIGN.md, "Defaults").
    public static let length = 32

    /// Cuts the window out of extracted code.
    ///
    /// Where fewer than 32 bytes stand before the caller's address, the window slides forward just as far as it must
    /// to stay inside the code; code shorter than 32 bytes is the window whole.
    ///
    /// - Throws: ``EpitopeError/Code/callerOutsideCode`` when the caller's address does not lie in the code.
    public static func extract(from code: ExtractedCode, callersAddress: UInt64) throws(EpitopeError) -> [UInt8] {
        guard let caller = code.offset(of: callersAddress), caller > 0 else {
            throw EpitopeError(
                .callerOutsideCode,
                "the caller's address 0x\(String(callersAddress, radix: 16)) is outside the code, which has "
                    + "\(code.bytes.count) bytes from 0x\(String(code.base, radix: 16))",
                remedy: "send the code that the call came from, with the address that it lay at")
        }
        let start = max(0, caller - length)
        return Array(code.bytes[start..<min(code.bytes.count, start + length)])
    }
}

extension EpitopeError.Code {
    /// A packet names a caller's address that its code does not hold.
    public static let callerOutsideCode = EpitopeError.Code("caller-outside-code")
}
