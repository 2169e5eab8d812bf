// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// The policy file can't be read.
    public static let policyMissing = EpitopeError.Code("policy-missing")
    /// The policy file holds what is no policy, or a value out of its bounds.
    public static let policyInvalid = EpitopeError.Code("policy-invalid")
    /// Somebody else than its owner may write the policy file.
    public static let policyNotTrusted = EpitopeError.Code("policy-not-trusted")
}
