// SPDX-License-Identifier: Apache-2.0

/// What an image's headers say of its code and its links to other images.
public struct ImageHeaders: Equatable, Sendable {
    /// The loadable segments in the file, and which of them are executable.
    public var segments: [UnwindTable.Segment] = []
    public var code: [UnwindTable.Segment] = []
    /// The dynamic section; `nil` for static programs.
    public var dynamic: UnwindTable.Segment?
    /// Whether it names an interpreter: programs do, libraries mostly don't.
    public var hasInterpreter = false

    /// `nil` if it isn't an ELF image for x86-64.
    public init?(ofImage header: [UInt8]) {
        let isWhole = header.withUnsafeBytes { raw in
            guard let headers = ELFHeader(raw) else { return false }
            var reader = ByteReader(raw, from: headers.start, to: raw.count)
            for _ in 0..<headers.count {
                guard let entry = ELFHeader.programHeader(&reader) else { return false }
                switch entry.type {
                case ELFHeader.loadable:
                    segments.append(entry.segment)
                    if entry.flags & ELFHeader.executable != 0 { code.append(entry.segment) }
                case ELFHeader.dynamic: dynamic = entry.segment
                case ELFHeader.interpreter: hasInterpreter = true
                default: break
                }
            }
            return true
        }
        guard isWhole else { return nil }
    }

    /// The address at which an offset in the file is loaded, before relocation.
    public func address(ofFileOffset offset: UInt64) -> UInt64? {
        segments.address(ofFileOffset: offset)
    }

    /// The offset in the file of what is loaded at an address; `nil` for memory that the file doesn't fill.
    public func fileOffset(of address: UInt64) -> UInt64? {
        segments.fileOffset(of: address)
    }

    /// Whether a page of the file at an offset belongs to an executable segment.
    public func isCode(fileOffset offset: UInt64) -> Bool {
        code.contains { offset &+ 0xFFF >= $0.offset && offset < $0.offset &+ $0.size }
    }
}
