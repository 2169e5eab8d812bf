// SPDX-License-Identifier: Apache-2.0

extension UnwindTable {
    /// A loadable segment.
    public struct Segment: Equatable, Sendable {
        public var offset: UInt64
        public var address: UInt64
        public var size: UInt64
    }

    /// Where an image's tables are, from its headers.
    public struct Layout: Equatable, Sendable {
        public var segments: [Segment]
        public var index: Segment

        /// The address at which an offset in the file is loaded, before relocation.
        public func address(ofFileOffset offset: UInt64) -> UInt64? {
            segments.address(ofFileOffset: offset)
        }

        /// The offset in the file of an address, before relocation.
        public func fileOffset(ofAddress address: UInt64) -> Int? {
            segments.fileOffset(of: address).flatMap { Int(exactly: $0) }
        }
    }

    /// Reads the headers of an image; `nil` if it isn't an ELF image for x86-64, or has no index.
    public static func layout(ofImage header: [UInt8]) -> Layout? {
        header.withUnsafeBytes { raw in
            guard let headers = ELFHeader(raw) else { return nil }
            var segments: [Segment] = []
            var index: Segment?
            var reader = ByteReader(raw, from: headers.start, to: raw.count)
            for _ in 0..<headers.count {
                guard let header = ELFHeader.programHeader(&reader) else { return nil }
                if header.type == ELFHeader.loadable { segments.append(header.segment) }
                if header.type == ELFHeader.frameIndex { index = header.segment }
            }
            return index.map { Layout(segments: segments, index: $0) }
        }
    }
}

extension [UnwindTable.Segment] {
    /// The address at which an offset in the file is loaded, before relocation.
    func address(ofFileOffset offset: UInt64) -> UInt64? {
        for segment in self where offset >= segment.offset && offset - segment.offset < segment.size {
            return segment.address &+ (offset - segment.offset)
        }
        return nil
    }

    /// The offset in the file of what is loaded at an address; `nil` for memory that the file doesn't fill.
    func fileOffset(of address: UInt64) -> UInt64? {
        for segment in self where address >= segment.address && address - segment.address < segment.size {
            return segment.offset &+ (address - segment.address)
        }
        return nil
    }
}
