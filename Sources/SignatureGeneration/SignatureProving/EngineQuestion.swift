// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// What Suricata was asked over captured flows: whether it fires by a signature, searched for in these places. Ports and direction
/// change nothing of that.
public struct EngineQuestion: Hashable, Sendable {
    public var signatureID: String
    /// `nil` for the stream or datagram as it is.
    public var places: Set<ProtocolBuffer?>

    public init(_ signature: Signature) {
        signatureID = signature.id
        places = signature.context.buffers
    }
}
