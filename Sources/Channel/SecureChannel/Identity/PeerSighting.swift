// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// When and where a peer was last seen, and what it said of itself.
public struct PeerSighting: Hashable, Sendable {
    public var identity: Identity
    /// In milliseconds since 1970, by the center's clock.
    public var seenMilliseconds: Int64
    /// The IP address that its connection came from, behind address translation or a proxy theirs; `nil`: it isn't known.
    public var address: String?
    /// Until when its certificate is valid.
    public var certificateUntilMilliseconds: Int64
    /// The fingerprint of the authority that its certificate is from, in hexadecimal digits; `nil`: it isn't known.
    public var authority: String?
    public var note: SenderNote
    /// The address of another machine that has the same identity, and was seen since this one began; `nil`: none was.
    public var otherAddress: String?

    public init(
        identity: Identity, seenMilliseconds: Int64, address: String?, certificateUntilMilliseconds: Int64,
        authority: String? = nil, note: SenderNote,
        otherAddress: String? = nil
    ) {
        self.identity = identity
        self.seenMilliseconds = seenMilliseconds
        self.address = address
        self.certificateUntilMilliseconds = certificateUntilMilliseconds
        self.authority = authority
        self.note = note
        self.otherAddress = otherAddress
    }
}
