// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// One reader of what others send or store, with what it takes to try it on many inputs.
struct FuzzParser: Sendable {
    /// As `--only` names it.
    var name: String
    /// What is read, and what is then done with what was accepted, in a few words.
    var what: String
    /// Pieces that mutation puts in: keywords, magic numbers, bounds.
    var dictionary: [[UInt8]] = []
    /// Where mutation mostly strikes: `nil`, anywhere alike.
    var hotPlaces: (@Sendable ([UInt8]) -> [Range<Int>])?
    /// Makes a mutated input whole again where a checksum would hide all that lies behind it.
    var seal: (@Sendable (inout [UInt8]) -> Void)?
    /// Valid inputs.
    var seeds: @Sendable (FuzzScratch) throws -> [[UInt8]]
    /// Reads one input.
    ///
    /// - Throws: what refuses the input: that is as good as accepting it. A trap, or no end, is not.
    var run: @Sendable ([UInt8], FuzzScratch) throws -> Void
}

/// A reader's word that an input is refused, where it says so by something else than an error of its own.
struct Refusal: Error {
    /// A stable code, for the tally.
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

/// Ends the process as a crash does: something that was read is not what it says it is.
func broken(_ promise: String) -> Never {
    fatalError("broken promise: \(promise)")
}
