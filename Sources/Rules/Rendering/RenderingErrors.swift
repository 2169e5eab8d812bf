// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// A rule would be longer than Suricata reads (``SuricataRule/maxLength``).
    public static let ruleTooLong = EpitopeError.Code("rule-too-long")
    /// The rule language can't express a signature: it has no tokens, an empty one, or gaps beyond the language's bounds.
    public static let signatureUnrenderable = EpitopeError.Code("signature-unrenderable")
    /// A rule's number is outside of its range (``SIDRange``), or its revision below 1.
    public static let sidOutOfRange = EpitopeError.Code("sid-out-of-range")
    /// A text is not a rule that Epitope writes.
    public static let ruleMalformed = EpitopeError.Code("rule-malformed")
}
