// SPDX-License-Identifier: Apache-2.0

/// What a host leaves to its center: the packet's code is the region as the host read it, and the center takes out of it what the host
/// would have sent.
public struct ExtractionRequest: Hashable, Sendable {
    /// How the signature is chosen that takes the code's place; `nil`: it stays code, as much of it as the center's own amounts say.
    public var signature: HostSignature?
    /// The size of that signature in bytes (`CallerWindow.lengths`).
    public var signatureBytes: Int

    public init(signature: HostSignature?, signatureBytes: Int) {
        self.signature = signature
        self.signatureBytes = signatureBytes
    }
}

/// How a host has its own signature chosen, where it sends one.
public enum HostSignature: String, Hashable, Sendable, Codable, CaseIterable {
    /// The window that ends at the caller's address.
    case caller
    /// The window nearest to it that nothing holds which is known as good: no image of the process and no file of the host's goodware index;
    /// where the center chooses, no file of the center's.
    case unique
}

/// Where the code is taken out of the region that the call came from, and where a host's own signature is chosen.
public enum ExtractionPlace: String, Hashable, Sendable, Codable, CaseIterable {
    /// At the host. What it can't choose, it doesn't.
    case host
    /// At the host; what can't be done there is left to the center.
    case auto
    /// At the center.
    case center
}
