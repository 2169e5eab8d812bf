// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// A rule would be longer than Suricata reads (``SuricataRule/largestLength``).
    public static let ruleTooLong = EpitopeError.Code("rule-too-long")
    /// A signature that the rule language can't express: no or empty tokens, or gaps beyond its bounds.
    public static let signatureUnrenderable = EpitopeError.Code("signature-unrenderable")
    /// A rule's number lies outside of ``SIDRange``, or its revision is below 1.
    public static let sidOutOfRange = EpitopeError.Code("sid-out-of-range")
    /// A text is not a rule of the kind that Epitope writes.
    public static let ruleMalformed = EpitopeError.Code("rule-malformed")
}
