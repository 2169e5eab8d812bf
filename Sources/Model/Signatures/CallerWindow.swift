// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// The caller window: the bytes that end at the caller's address, 32 unless the settings say otherwise; the first form of every signature.
///
/// The bytes before a critical call set up its arguments, so an attack can hardly do without them. For a direct call they
/// end with the call instruction itself.
public enum CallerWindow {
    /// In bytes: the length of the window where nobody chose another, several instructions of every architecture.
    public static let length = 32
    /// In bytes: the lengths that can be chosen, from two or three instructions to some fifty.
    public static let lengths = 8...256

    /// Checks that the window can be cut out of the code, without cutting it.
    ///
    /// - Returns: the offset of the caller's address in the code: 1 up to the code's length.
    /// - Throws: ``EpitopeError/Code/callerOutsideCode`` when the caller's address does not lie in the code.
    @discardableResult
    public static func callerOffset(in code: ExtractedCode, callersAddress: UInt64) throws(EpitopeError) -> Int {
        guard let caller = code.offset(of: callersAddress), caller > 0 else {
            throw EpitopeError(
                .callerOutsideCode,
                "the caller's address 0x\(String(callersAddress, radix: 16)) is outside the code, which has "
                    + "\(code.bytes.count) bytes from 0x\(String(code.base, radix: 16))",
                remedy: "send the code that the call came from, with the address that it lay at")
        }
        return caller
    }

    /// Cuts the window out of extracted code.
    ///
    /// - Parameter length: in bytes, one of ``lengths``.
    ///
    /// If the code has fewer bytes before the caller's address, the window moves forward just far enough to stay inside the
    /// code. Code that is shorter than a window is the window.
    ///
    /// - Throws: ``EpitopeError/Code/callerOutsideCode`` if the caller's address is not in the code.
    public static func extract(
        from code: ExtractedCode, callersAddress: UInt64, length: Int = CallerWindow.length
    ) throws(EpitopeError) -> [UInt8] {
        let caller = try callerOffset(in: code, callersAddress: callersAddress)
        let start = max(0, caller - length)
        return Array(code.bytes[start..<min(code.bytes.count, start + length)])
    }
}
