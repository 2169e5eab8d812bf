// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// A signature update in force, with the number of its rule.
public struct RuleAssignment: Hashable, Sendable {
    /// In ``SIDRange``; unique at the center, and the same for every revision of the signature.
    public var sid: UInt32
    public var update: SignatureUpdate

    public init(sid: UInt32, update: SignatureUpdate) {
        self.sid = sid
        self.update = update
    }
}
