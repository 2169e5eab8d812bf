// SPDX-License-Identifier: Apache-2.0

/// One reason to take a critical call for an attack, with the weight that it carries.
public struct Evidence: Hashable, Sendable, Codable {
    public var kind: EvidenceKind
    /// What was observed, for a person: addresses, region, buffer.
    public var detail: String

    public init(kind: EvidenceKind, detail: String) {
        self.kind = kind
        self.detail = detail
    }
}

/// The kinds of evidence. Their weights are points towards the attack threshold.
public enum EvidenceKind: String, Hashable, Sendable, Codable, CaseIterable {
    case directCall = "direct-call-from-unbacked-memory"
    case libraryCall = "library-call-from-unbacked-memory"
    /// Send blocking: the caller lies in the send buffer, or its code is copied in it.
    case sendsItself = "code-that-sends-itself"
    case writtenImagePage = "call-from-written-image-page"
    case memoryFile = "call-from-memory-file"
    case deeperInStack = "unbacked-memory-deeper-in-stack"
    case unattributable = "unattributable-caller"

    /// The weight in points (Documentation/Design.md).
    public var defaultWeight: Int {
        switch self {
        case .directCall, .libraryCall, .sendsItself: 100
        case .writtenImagePage: 80
        case .memoryFile: 40
        case .deeperInStack, .unattributable: 10
        }
    }
}
