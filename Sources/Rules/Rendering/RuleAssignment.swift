// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// A signature update in force, with the number that its rule has.
public struct RuleAssignment: Hashable, Sendable {
    /// Unique at the center, the same for every revision of the signature; in ``SIDRange``.
    public var sid: UInt32
    public var update: SignatureUpdate

    public init(sid: UInt32, update: SignatureUpdate) {
        self.sid = sid
        self.update = update
    }
}
