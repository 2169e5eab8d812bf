// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures

/// The part of a packet that signatures are made of.
public struct Sample: Hashable, Sendable {
    /// The code, or if only that was sent, the caller window with the address that it began at.
    public var code: ExtractedCode
    public var callersAddress: UInt64
    public var architecture: Architecture
    public var context: SignatureContext
    /// Whether the evidence says that this is malicious code: an image's code, or a program's own, makes no signature.
    public var isMaliciousCode: Bool
    /// Offsets in the code that were seen on the wire; `nil` if there was no capture.
    public var onWire: [Range<Int>]?
    /// The streams of captures that carried the attack.
    public var carriers: [[UInt8]]
    /// Who sent it, as it counts: whatever one reporter sends counts as one. `nil`: it counts by itself.
    public var reporter: String?
    /// The name that it was sent under, where several names count as one reporter.
    public var sender: String?
    /// Where the connection came from that brought it, as far as that is known.
    public var source: IPAddress?
    /// When the attack was reported, by the host's clock, in milliseconds since 1970-01-01T00:00:00Z; `nil` if unknown.
    public var timeMilliseconds: Int64?
    /// The attacked process's own addresses, as far as its sockets name any.
    public var addresses: Set<String> = []

    public init(
        code: ExtractedCode, callersAddress: UInt64, architecture: Architecture, context: SignatureContext,
        isMaliciousCode: Bool = true, onWire: [Range<Int>]? = nil, carriers: [[UInt8]] = []
    ) {
        self.code = code
        self.callersAddress = callersAddress
        self.architecture = architecture
        self.context = context
        self.isMaliciousCode = isMaliciousCode
        self.onWire = onWire
        self.carriers = carriers
    }
}
