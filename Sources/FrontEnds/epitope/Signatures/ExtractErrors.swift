// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

extension EpitopeError.Code {
    /// An input file can't be read.
    static let fileUnreadable = EpitopeError.Code("file-unreadable")
    /// A folder has neither packets nor files of code.
    static let noSamples = EpitopeError.Code("no-samples")
    /// A file of code is longer than what is read.
    static let codeTooLarge = EpitopeError.Code("code-too-large")
    /// A file of code has no bytes.
    static let codeEmpty = EpitopeError.Code("code-empty")
    /// An address on the command line is not a number of 64 bits.
    static let addressTextMalformed = EpitopeError.Code("address-malformed")
    /// No candidate passed all checks, so there is no rule to print.
    static let signatureUnproven = EpitopeError.Code("signature-unproven")
}
