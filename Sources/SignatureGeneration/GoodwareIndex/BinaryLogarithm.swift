// SPDX-License-Identifier: Apache-2.0

/// The logarithm to base 2, in plain arithmetic: this module imports no C library.
enum BinaryLogarithm {
    /// Of a positive number; exact to about 1e-8.
    static func of(_ value: Double) -> Double {
        // ln m = 2 artanh((m - 1)/(m + 1)) for the significand m in 1..<2: the ratio is below 1/3.
        let ratio = (value.significand - 1) / (value.significand + 1)
        let square = ratio * ratio
        var term = ratio
        var sum = 0.0
        for odd in stride(from: 1.0, through: 15, by: 2) {
            sum += term / odd
            term *= square
        }
        return Double(value.exponent) + 2 * sum * 1.442695040888963
    }
}
