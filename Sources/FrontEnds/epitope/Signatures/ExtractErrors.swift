// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

extension EpitopeError.Code {
    /// An input file can't be read.
    static let fileUnreadable = EpitopeError.Code("file-unreadable")
    /// A file is of a kind that the command has no use for, such as a capture or an archive.
    static let inputUnusable = EpitopeError.Code("input-unusable")
    /// A file of code, or another input, is longer than what is read of its kind.
    static let codeTooLarge = EpitopeError.Code("code-too-large")
    /// A folder has neither packets, core dumps nor files of code that could be read.
    static let noSamples = EpitopeError.Code("no-samples")
    /// A file of code has no bytes, or nothing but zeros.
    static let codeEmpty = EpitopeError.Code("code-empty")
    /// The core dump does not hold the memory at an address.
    static let memoryMissing = EpitopeError.Code("memory-missing")
    /// An address on the command line is not a number of 64 bits.
    static let addressTextMalformed = EpitopeError.Code("address-malformed")
    /// The bytes of a query to a goodware index can't be read, or are too few.
    static let queryMalformed = EpitopeError.Code("query-malformed")
    /// No candidate passed all checks, so there is no rule to print.
    static let signatureUnproven = EpitopeError.Code("signature-unproven")
}
