// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A path as the kernel has it: bytes in any coding, or none, and of any length.
///
/// A `String` would repair names that are not UTF-8, and the repaired name is no file's; a path of more than 4,095 bytes can't
/// be named in one call (PATH_MAX), and is opened part by part.
public struct RawPath: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Without a zero byte, as no name has one.
    public let bytes: [UInt8]

    public init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    public init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// The path of an entry of this folder.
    public func appending(_ name: [UInt8]) -> RawPath {
        RawPath(bytes: bytes.last == UInt8(ascii: "/") ? bytes + name : bytes + [UInt8(ascii: "/")] + name)
    }

    /// By the bytes.
    public static func < (one: RawPath, other: RawPath) -> Bool {
        one.bytes.lexicographicallyPrecedes(other.bytes)
    }

    /// For people: ``printable(_:)``.
    public var description: String { Self.printable(bytes) }

    /// A name that somebody else chose, as text for people: what is not UTF-8, and what would steer a terminal or reorder the
    /// line, is written byte by byte as `\xE9`.
    public static func printable(_ bytes: some Sequence<UInt8>) -> String {
        let bytes = Array(bytes)
        // Nearly every name, of which a corpus has millions: what each character is need not be looked up.
        if bytes.allSatisfy({ (0x20...0x7e).contains($0) }) { return String(decoding: bytes, as: UTF8.self) }
        var text = ""
        var place = 0
        while place < bytes.count {
            let length = encodedLength(bytes[place])
            let encoded = bytes[place..<min(bytes.count, place + length)]
            if let scalar = String(validating: encoded, as: UTF8.self)?.unicodeScalars.first, isPlain(scalar) {
                text.unicodeScalars.append(scalar)
                place += length
            } else {
                text += escaped(bytes[place])
                place += 1
            }
        }
        return text
    }

    /// How many bytes a character's encoding has, by its first one.
    private static func encodedLength(_ first: UInt8) -> Int {
        switch first {
        case 0xc2...0xdf: 2
        case 0xe0...0xef: 3
        case 0xf0...0xf4: 4
        default: 1
        }
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }

    private static func escaped(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return byte < 16 ? "\\x0\(digits)" : "\\x\(digits)"
    }
}

extension RawPath {
    /// In bytes: how much of a path is given to the kernel at a time. A name has at most 255.
    static let maxPartBytes = 4000

    /// The path cut at slashes into parts that one call can take, each but the first relative to the one before. `nil` where a
    /// name is longer than the kernel allows.
    var parts: [[UInt8]]? {
        var parts: [[UInt8]] = []
        var rest = bytes[...]
        while rest.count > Self.maxPartBytes {
            guard let slash = rest.prefix(Self.maxPartBytes).lastIndex(of: UInt8(ascii: "/")), slash > rest.startIndex else { return nil }
            parts.append(Array(rest[..<slash]))
            // A leading slash would begin at the root again.
            rest = rest[slash...].drop { $0 == UInt8(ascii: "/") }
        }
        return parts + [Array(rest)]
    }

    /// The path for a system call.
    static func terminated(_ bytes: some Sequence<UInt8>) -> [CChar] {
        bytes.map { CChar(bitPattern: $0) } + [0]
    }
}

extension FileDescriptor {
    /// Opens a file by a path of any bytes and length.
    ///
    /// - Parameters:
    ///   - flags: of open(2); O_CLOEXEC is added.
    ///   - folder: where a relative path begins; `nil`: at the current folder.
    public convenience init(_ path: RawPath, _ flags: Int32, in folder: PathHandle? = nil) throws(FileError) {
        guard let parts = path.parts else { throw .system(ENAMETOOLONG) }
        var place = folder
        for part in parts.dropLast() { place = try PathHandle(part: part, in: place, flags: O_DIRECTORY) }
        try self.init(taking: Self.openat(place?.descriptor ?? AT_FDCWD, RawPath.terminated(parts[parts.count - 1]), flags))
        withExtendedLifetime(place) {}
    }

    /// The descriptor, or a negative error number.
    private static func openat(_ folder: Int32, _ name: [CChar], _ flags: Int32) -> Int32 {
        let number = Glibc.openat(folder, name, flags | O_CLOEXEC)
        return number >= 0 ? number : -errno
    }
}

extension PathHandle {
    /// A handle by a path of any bytes and length; on a symbolic link at its end, the handle is the link's.
    ///
    /// - Parameters:
    ///   - folder: where a relative path begins; `nil`: at the current folder.
    ///   - mustBeFolder: fails with ENOTDIR for everything else, links too.
    public convenience init(_ path: RawPath, in folder: PathHandle? = nil, mustBeFolder: Bool = false) throws(FileError) {
        guard let parts = path.parts else { throw .system(ENAMETOOLONG) }
        var place = folder
        for part in parts.dropLast() { place = try PathHandle(part: part, in: place, flags: O_DIRECTORY) }
        try self.init(part: parts[parts.count - 1], in: place, flags: O_NOFOLLOW | (mustBeFolder ? O_DIRECTORY : 0))
        withExtendedLifetime(place) {}
    }
}
