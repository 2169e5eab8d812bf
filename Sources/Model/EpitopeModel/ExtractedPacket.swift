// SPDX-License-Identifier: Apache-2.0

/// What a host sends to a center: code (or its signature) with the parameters of the call that it made.
public struct ExtractedPacket: Hashable, Sendable {
    /// What the packet carries of the malicious code.
    public enum Content: Hashable, Sendable {
        case code(ExtractedCode)
        /// The signature that the host made: the caller window, at most 256 bytes that end at the caller's address (32 unless the host chose
        /// otherwise), or the window of that size that ``ExtractedPacket/signatureAddress`` says.
        case signature([UInt8])
    }

    /// The version of the packet's schema that this program writes.
    public static let currentVersion: UInt32 = 1
    /// The most code that a packet may carry, in bytes: 4 KiB on each side of the caller's address.
    public static let maxCodeBytes = 8192
    /// The most that an encoded packet may measure, in bytes; a larger one is refused before it is decoded.
    public static let maxEncodedBytes = 65536

    /// Identity of this packet: 32 hexadecimal digits, made at random on the host. A center stores it once, however
    /// often it is sent.
    public var id: String
    public var architecture: Architecture
    /// The address right after the instruction that made the critical call.
    public var callersAddress: UInt64
    public var content: Content
    /// Where the first byte of a host's own signature lay; `nil`: it ends at the caller's address, as far as the code reached. Of a packet
    /// with code: of the signature that takes its place where there is no room for code.
    public var signatureAddress: UInt64?
    /// What the center is to take out of the code; `nil`: the host has done it. Of a packet with code alone.
    public var extraction: ExtractionRequest?
    public var evidence: [Evidence]
    public var action: ProtectiveAction
    /// The applications of behaviour blocking that were on at the host; empty: it didn't say, as an earlier version.
    public var applications: [BlockingApplication]
    public var parameters: Parameters

    public init(
        id: String, architecture: Architecture, callersAddress: UInt64, content: Content, evidence: [Evidence],
        action: ProtectiveAction, applications: [BlockingApplication] = [], parameters: Parameters, signatureAddress: UInt64? = nil,
        extraction: ExtractionRequest? = nil
    ) {
        self.id = id
        self.architecture = architecture
        self.callersAddress = callersAddress
        self.content = content
        self.signatureAddress = signatureAddress
        self.extraction = extraction
        self.evidence = evidence
        self.action = action
        self.applications = applications
        self.parameters = parameters
    }
}

/// What was done about a critical call.
public enum ProtectiveAction: String, Hashable, Sendable, Codable, CaseIterable {
    /// The call was allowed: watch only, or the evidence was too weak to block.
    case watched
    /// The call was denied with EPERM.
    case blocked
    /// The call was denied and the process stopped (SIGSTOP).
    case stopped
    /// The call was denied and the process killed (SIGKILL).
    case killed
}
