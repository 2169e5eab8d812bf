// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// The policy file can't be read.
    public static let policyMissing = EpitopeError.Code("policy-missing")
    /// The policy file isn't a policy, or has a value out of bounds.
    public static let policyInvalid = EpitopeError.Code("policy-invalid")
    /// Users other than the owner may write to the policy file.
    public static let policyNotTrusted = EpitopeError.Code("policy-not-trusted")
    /// An exclusion of the policy file has ended, ends soon, or doesn't apply for a reason that somebody should correct.
    public static let exclusionNeedsCare = EpitopeError.Code("exclusion-needs-care")
    /// The policy file can't be written.
    public static let policyUnwritable = EpitopeError.Code("policy-unwritable")
}
