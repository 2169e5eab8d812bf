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
    /// A file that only seems to stand behind the code: see ``MemoryBacking/writtenFile(path:)``.
    case writtenFile = "call-from-written-file"
    /// A return address in an image that the call before it can't have made: it reaches another function, or there is no
    /// call at all. The code that put it there isn't known.
    case impossibleReturn = "impossible-return-address"
    /// A return address in an image after a call through a register or through memory that can't be checked, in a process
    /// with unbacked executable memory.
    case uncheckedReturn = "unchecked-return-address"
    /// A program that unpacked itself as a whole: its code is unbacked, and its own.
    case packedProgram = "packed-program"
    case deeperInStack = "unbacked-memory-deeper-in-stack"
    case unattributable = "unattributable-caller"
    /// The program, or the image that made the call, is a file that was deleted while it runs, and no upgrade explains that.
    case deletedFile = "deleted-file-still-runs"

    /// Whether the code at the caller's address is malicious code, from which signatures are made. Otherwise it is a
    /// program's own, or an image's: the evidence counts, and no signature ever comes of it.
    public var isOfCode: Bool {
        switch self {
        // Of these the caller's address lies in an image, or in the program's own code.
        case .impossibleReturn, .uncheckedReturn, .packedProgram, .deeperInStack, .deletedFile: false
        case .directCall, .libraryCall, .sendsItself, .writtenImagePage, .memoryFile, .writtenFile, .unattributable: true
        }
    }

    /// The weight in points (Documentation/Design.md).
    public var defaultWeight: Int {
        switch self {
        case .directCall, .libraryCall, .sendsItself: 100
        case .writtenImagePage, .writtenFile, .impossibleReturn: 80
        case .memoryFile, .uncheckedReturn, .packedProgram: 40
        case .deeperInStack, .unattributable, .deletedFile: 10
        }
    }
}
