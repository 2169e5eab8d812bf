// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc
import InputFiles

/// A file that a person named: open, and told by its first bytes.
struct InputFile {
    let path: String
    let kind: FileKind
    /// In bytes.
    let size: Int
    /// When it was written last, in milliseconds since 1970.
    let modifiedMilliseconds: Int64
    private let file: FileDescriptor

    /// - Throws: `file-unreadable`.
    init(_ path: String) throws(EpitopeError) {
        self.path = path
        do throws(FileError) {
            // A pipe or a device might never answer.
            file = try FileDescriptor(path, O_RDONLY | O_NONBLOCK)
            let status = try file.status()
            guard status.kind == .regular else { throw .notRegular }
            size = Int(status.identity.size)
            let modified = status.identity.modified
            modifiedMilliseconds = modified.seconds &* 1000 &+ modified.nanoseconds / 1_000_000
            kind = FileKind(head: try DescriptorIO.bytes(file.number, at: 0, count: min(size, FileKind.headBytes)))
        } catch {
            throw Self.unreadable(path, error)
        }
    }

    /// The whole file.
    ///
    /// - Throws: `code-too-large`, `file-unreadable`.
    func bytes(maxBytes: Int) throws(EpitopeError) -> [UInt8] {
        do throws(FileError) {
            return try file.readWhole(maxBytes: maxBytes)
        } catch {
            guard error == .tooLong else { throw Self.unreadable(path, error) }
            throw EpitopeError(
                .codeTooLarge, "\(path) has \(size) bytes, of a file like it at most \(maxBytes) are read",
                remedy: "cut out the region that the call came from")
        }
    }

    /// Reads a part: fewer bytes than asked for where the file ends, `nil` if it can't be read.
    func read(at offset: UInt64, count: Int) -> [UInt8]? {
        Int(exactly: offset).flatMap { try? DescriptorIO.bytes(file.number, at: $0, count: count) }
    }

    static func unreadable(_ path: String, _ why: FileError) -> EpitopeError {
        EpitopeError(
            .fileUnreadable, "\(path) can't be read: \(why)", remedy: "name an existing file or folder that this user may read")
    }
}

extension EpitopeError {
    /// The same error, with the file that it is about.
    func about(_ path: String) -> EpitopeError {
        message.contains(path) ? self : EpitopeError(code, "\(path): \(message)", remedy: remedy)
    }

    /// A file is of a kind that a command has no use for.
    ///
    /// - Parameter remedy: `nil` for what helps with files of its kind.
    static func unusable(_ file: InputFile, asA wanted: String, remedy: String? = nil) -> EpitopeError {
        EpitopeError(.inputUnusable, "\(file.path) is \(file.kind.description), not \(wanted)", remedy: remedy ?? file.advice)
    }
}

extension InputFile {
    /// What is done with files of its kind.
    fileprivate var advice: String {
        let name = path.quotedForShell
        switch kind {
        case .pcap, .pcapng:
            return "search it with epitope verify RULES --capture \(name), or give it to epitope extract as --capture beside the code"
        case .program, .foreignProgram:
            return "a signature is made of code that was caught in memory; if this is a region of memory, say so with --caller ADDRESS"
        case .archive: return "unpack it, and name what is in it"
        case .rules: return "search for rules with epitope verify \(name) --in FOLDER"
        case .core: return "make signatures of a core dump with epitope extract \(name)"
        case .packet: return "make signatures of a packet with epitope extract \(name)"
        case .goodwareIndex: return "give it as --goodware \(name)"
        case .json, .text, .document, .empty, .other: return "name a packet, a core dump, or a file of code (*.bin)"
        }
    }
}

extension String {
    /// As a word of a command line that can be copied.
    var quotedForShell: String {
        let isPlain =
            !isEmpty
            && utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "/._-+,:@%=".utf8.contains(byte)
            }
        return isPlain ? self : "'" + replacing("'", with: "'\\''") + "'"
    }
}
