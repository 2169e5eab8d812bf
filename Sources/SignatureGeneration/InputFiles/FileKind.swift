// SPDX-License-Identifier: Apache-2.0

/// What a file is by its first bytes. Its name decides nothing: people name files as they like.
public enum FileKind: Hashable, Sendable {
    /// A core dump: the memory of a process.
    case core
    /// A program or library in ELF.
    case program
    /// A program of another system: Windows (PE), macOS (Mach-O), WebAssembly.
    case foreignProgram
    case pcap
    case pcapng
    /// Packed files, or one that is compressed.
    case archive
    /// An image, a document, a database: certainly not code.
    case document
    /// JSON text: a packet, signatures, or something else.
    case json
    /// Rules of an engine, as text.
    case rules
    /// Other text.
    case text
    /// An extracted packet in its wire form, by its first fields.
    case packet
    /// A goodware index.
    case goodwareIndex
    case empty
    /// None of these: code, perhaps.
    case other

    /// In bytes: how much of a file's beginning is needed.
    public static let headBytes = 4096

    /// For people, with an article: `a core dump`.
    public var description: String {
        switch self {
        case .core: "a core dump"
        case .program: "an ELF program or library"
        case .foreignProgram: "a program of another system"
        case .pcap: "a capture (pcap)"
        case .pcapng: "a capture (pcapng)"
        case .archive: "an archive, or compressed"
        case .document: "an image, a document or a database"
        case .json: "JSON"
        case .rules: "a file of rules"
        case .text: "text"
        case .packet: "an extracted packet"
        case .goodwareIndex: "a goodware index"
        case .empty: "empty"
        case .other: "of an unknown kind"
        }
    }

    /// - Parameter head: the file's first ``headBytes`` bytes, or all of a shorter file.
    public init(head: some Collection<UInt8>) {
        let head = Array(head.prefix(Self.headBytes))
        self = head.isEmpty ? .empty : Self.binary(head) ?? Self.text(head) ?? .other
    }

    private static func binary(_ head: [UInt8]) -> FileKind? {
        if let form = ElfForm(head) { return form.half(head, at: 16) == ElfForm.coreType ? .core : .program }
        if let found = starts.first(where: { head.starts(with: $0.bytes) }) { return found.kind }
        if head.count > 262, head[257..<262].elementsEqual("ustar".utf8) { return .archive }
        return packetStart(head) ? .packet : nil
    }

    /// The beginnings of files, by file(1)'s magic and the formats' own descriptions.
    private static let starts: [(bytes: [UInt8], kind: FileKind)] = [
        ([0xa1, 0xb2, 0xc3, 0xd4], .pcap), ([0xd4, 0xc3, 0xb2, 0xa1], .pcap), ([0xa1, 0xb2, 0x3c, 0x4d], .pcap),
        ([0x4d, 0x3c, 0xb2, 0xa1], .pcap), ([0xa1, 0xb2, 0xcd, 0x34], .pcap), ([0x34, 0xcd, 0xb2, 0xa1], .pcap),
        ([0x0a, 0x0d, 0x0d, 0x0a], .pcapng),
        ([0x1f, 0x8b], .archive), ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], .archive), ([0x28, 0xb5, 0x2f, 0xfd], .archive),
        (Array("BZh".utf8), .archive), ([0x50, 0x4b, 3, 4], .archive), ([0x50, 0x4b, 5, 6], .archive), (Array("!<arch>\n".utf8), .archive),
        ([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], .archive), (Array("Rar!\u{1a}\u{7}".utf8), .archive), ([0xed, 0xab, 0xee, 0xdb], .archive),
        (Array("07070".utf8), .archive), ([0x04, 0x22, 0x4d, 0x18], .archive), (Array("hsqs".utf8), .archive),
        (Array("MZ".utf8), .foreignProgram), ([0xcf, 0xfa, 0xed, 0xfe], .foreignProgram), ([0xce, 0xfa, 0xed, 0xfe], .foreignProgram),
        ([0xca, 0xfe, 0xba, 0xbe], .foreignProgram), ([0, 0x61, 0x73, 0x6d], .foreignProgram),
        ([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a], .document), ([0xff, 0xd8, 0xff], .document), (Array("GIF8".utf8), .document),
        (Array("%PDF-".utf8), .document), (Array("SQLite format 3\0".utf8), .document), ([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1], .document),
        (Array("EPITGOOD".utf8), .goodwareIndex),
    ]

    /// Whether it begins as `Protocol/epitope.proto` writes a packet: the version, which is below 128, and an id of 32 digits.
    private static func packetStart(_ head: [UInt8]) -> Bool {
        head.count > 4 && head[0] == 0x08 && (1..<0x80).contains(head[1]) && head[2] == 0x12 && head[3] == 0x20
    }

    /// Text is UTF-8 without control characters. The last character may be cut off with the head.
    private static func text(_ head: [UInt8]) -> FileKind? {
        let isControlled = head.contains { $0 < 0x20 && ![0x09, 0x0a, 0x0c, 0x0d, 0x1b].contains($0) || $0 == 0x7f }
        guard !isControlled, let text = String(validating: head.prefix(head.count - cutOff(head)), as: UTF8.self) else { return nil }
        let start = text.drop { $0.isWhitespace || $0 == "\u{feff}" }
        if ["{", "["].contains(start.first) { return .json }
        let lines = start.split(whereSeparator: \.isNewline).lazy.filter { !$0.hasPrefix("#") && !$0.hasPrefix("//") }
        let rule = ["alert ", "drop ", "reject ", "pass ", "rule ", "private rule ", "import \"", "Epitope.Signature-"]
        if let first = lines.first, rule.contains(where: first.hasPrefix) || first.contains(";Engine:") { return .rules }
        return .text
    }

    /// How many bytes at the end are the beginning of a character (RFC 3629).
    private static func cutOff(_ head: [UInt8]) -> Int {
        guard head.count == headBytes else { return 0 }
        let tail = head.suffix(3)
        guard let start = tail.lastIndex(where: { $0 >= 0xc0 }), tail[start...].dropFirst().allSatisfy({ (0x80..<0xc0).contains($0) })
        else {
            return 0
        }
        let length = tail[start] >= 0xf0 ? 4 : tail[start] >= 0xe0 ? 3 : 2
        return tail.endIndex - start < length ? tail.endIndex - start : 0
    }
}
