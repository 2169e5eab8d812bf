// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// A parser of untrusted data, with everything that fuzzing it needs.
struct FuzzParser: Sendable {
    /// Its name for `--only`.
    var name: String
    /// A few words about what it parses, and what is done with accepted inputs.
    var what: String
    /// Bytes that mutation inserts: keywords, magic numbers, bounds.
    var dictionary: [[UInt8]] = []
    /// The range that is mutated most; `nil` for all of the input.
    var hotPlaces: (@Sendable ([UInt8]) -> [Range<Int>])?
    /// Repairs the checksum of a mutated input, without which the parser would reject it at once.
    var seal: (@Sendable (inout [UInt8]) -> Void)?
    /// Valid inputs.
    var seeds: @Sendable (FuzzScratch) throws -> [[UInt8]]
    /// Parses one input.
    ///
    /// - Throws: if the input is rejected, which is as good as accepting it. A trap or a hang is a failure.
    var run: @Sendable ([UInt8], FuzzScratch) throws -> Void
}

/// The rejection of an input by a parser that reports it in another way than by an error.
struct Refusal: Error {
    /// A stable code, to count by.
    var code: String

    init(_ code: String) {
        self.code = code
    }

    /// The code by which an error is counted.
    static func code(of error: any Error) -> String {
        switch error {
        case let error as EpitopeError: error.code.rawValue
        case let error as Refusal: error.code
        case is DecodingError: "decoding-error"
        default: "\(type(of: error))"
        }
    }
}

/// Crashes: a parsed value contradicts its input.
func broken(_ promise: String) -> Never {
    fatalError("broken promise: \(promise)")
}
