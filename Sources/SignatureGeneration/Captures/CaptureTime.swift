// SPDX-License-Identifier: Apache-2.0

/// The unit of a capture's times, and what is added to them.
struct CaptureTime {
    /// Units of 10 to the minus so many seconds, or of 2 to the minus so many.
    private let isBinary: Bool
    private let exponent: Int
    /// In seconds.
    var offset: Int64 = 0

    static let microseconds = CaptureTime(resolution: 6)
    static let nanoseconds = CaptureTime(resolution: 9)

    /// - Parameter resolution: the option `if_tsresol` of pcapng: the exponent, with the highest bit for powers of 2.
    init(resolution: UInt8) {
        isBinary = resolution & 0x80 != 0
        exponent = Int(resolution & 0x7f)
    }

    /// In milliseconds since 1970-01-01T00:00:00Z. A capture may state any time: it is clamped to the years 0 to 9999, which four
    /// digits can write.
    func milliseconds(_ units: UInt64) -> Int64 {
        let (seconds, rest) = parts(units)
        let (sum, overflow) = Int64(clamping: seconds).addingReportingOverflow(offset)
        let clamped = overflow ? (offset < 0 ? Int64.min : .max) : sum
        return min(max(clamped, -62_167_219_200), 253_402_300_799) * 1000 + rest
    }

    /// Whole seconds, and the milliseconds beyond.
    private func parts(_ units: UInt64) -> (seconds: UInt64, milliseconds: Int64) {
        if isBinary {
            guard exponent < 64 else { return (0, 0) }
            let fraction = exponent == 0 ? 0 : units << UInt64(64 - exponent)
            return (units >> UInt64(exponent), Int64(fraction.multipliedFullWidth(by: 1000).high))
        }
        guard exponent < 20 else { return (0, 0) }
        let second = (0..<exponent).reduce(UInt64(1)) { unit, _ in unit * 10 }
        let product = (units % second).multipliedFullWidth(by: 1000)
        return (units / second, Int64(second.dividingFullWidth(product).quotient))
    }
}
