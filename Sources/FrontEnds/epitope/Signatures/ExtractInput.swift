// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import InputFiles
import PacketCoding
import SignatureMaking
import SignatureProving
import Signatures

/// Reads the samples of `epitope extract`: each file is told by its first bytes.
struct ExtractInput {
    struct Named {
        var name: String
        var sample: Sample
        /// When the code was caught: a packet's time; else when the file was written. In milliseconds since 1970.
        var timeMilliseconds: Int64
        /// Of a packet.
        var packetID: String?
    }

    /// A file of a folder that is not among the samples.
    struct Skipped: Encodable {
        var path: String
        var reason: String
        /// Whether it is a sample by its kind, and could not be read.
        var isUnread: Bool
    }

    /// What was found.
    struct Found {
        var samples: [Named] = []
        var skipped: [Skipped] = []
        /// For people: what was decided for them.
        var notes: [String] = []
        /// Instead of samples: what the user must choose from.
        var listing: CallerListing?
        /// The file of each packet, by the packet's id.
        var packets: [String: String] = [:]

        /// Adds what a file of a folder holds.
        ///
        /// - Returns: the file that has the same packet, which counts once: two would pass for two attacks.
        fileprivate mutating func add(_ one: Found, of path: String) -> String? {
            if let id = one.samples.first?.packetID, let known = packets.updateValue(path, forKey: id) { return known }
            notes += one.notes
            samples += one.samples
            return nil
        }
    }

    /// In bytes: the largest file that is read as code.
    static let maxCodeBytes = 64 << 20
    /// In bytes: the largest packet as JSON.
    static let maxJSONBytes = 8 * ExtractedPacket.maxEncodedBytes
    /// In bytes: of a larger region of a core dump only so much is taken on each side of the caller's address.
    static let maxRegionBytes: UInt64 = 1 << 20

    var base: String?
    var caller: String?
    /// Of code; a core dump says its own.
    var architecture: Architecture

    /// Whether the user says that a file is code, whatever it begins like.
    private var isSaidToBeCode: Bool { base != nil || caller != nil }

    /// - Throws: `file-unreadable`, `input-unusable`, `code-too-large`, `no-samples`, `code-empty`, `address-malformed`,
    ///   `caller-outside-code`, `memory-missing`, and as for reading a packet or a core dump.
    func read(_ path: String) throws(EpitopeError) -> Found {
        let status: FileStatus
        do throws(FileError) {
            status = try FileStatus(path: path)
        } catch {
            throw InputFile.unreadable(path, error)
        }
        guard status.kind == .folder else { return try file(path) }
        return try folder(path)
    }

    private func folder(_ path: String) throws(EpitopeError) -> Found {
        let names: [String]
        do throws(FileError) {
            names = try Folders.names(path)
        } catch {
            throw InputFile.unreadable(path, error)
        }
        var found = Found()
        for name in names.sorted() where !name.hasPrefix(".") {
            add(path.hasSuffix("/") ? path + name : "\(path)/\(name)", to: &found)
        }
        guard !found.samples.isEmpty else {
            let reasons = found.skipped.prefix(3).map { "\($0.path): \($0.reason)" }.joined(separator: "; ")
            throw EpitopeError(
                .noSamples, "the folder \(path) contains no samples" + (reasons.isEmpty ? "" : " (\(reasons))"),
                remedy: "put packets, core dumps, or files of code named *.bin into it")
        }
        return found
    }

    /// Adds what a file of a folder holds. A file that is nothing of the kind does not end all.
    private func add(_ path: String, to found: inout Found) {
        do throws(FileError) {
            guard try FileStatus(path: path).kind != .folder else { return }
        } catch {
            return found.skipped.append(Skipped(path: path, reason: "\(error)", isUnread: true))
        }
        do throws(EpitopeError) {
            let input = try InputFile(path)
            if input.kind == .other, !isSaidToBeCode, !path.hasSuffix(".bin") {
                let reason = "it is neither a packet nor a core dump; if it is code, name it *.bin"
                return found.skipped.append(Skipped(path: path, reason: reason, isUnread: false))
            }
            let one = try sample(input)
            if let known = found.add(one, of: path) {
                return found.skipped.append(Skipped(path: path, reason: "it is the same packet as \(known)", isUnread: false))
            }
            if let listing = one.listing {
                let reason = "\(listing.callers.count) calls may be meant: epitope extract \(path.quotedForShell) lists them"
                found.skipped.append(Skipped(path: path, reason: reason, isUnread: true))
            }
        } catch {
            // The path stands before the reason already.
            let reason = error.message.hasPrefix(path + " ") ? "it" + error.message.dropFirst(path.count) : error.message
            found.skipped.append(Skipped(path: path, reason: reason, isUnread: ![.inputUnusable, .codeEmpty].contains(error.code)))
        }
    }

    private func file(_ path: String) throws(EpitopeError) -> Found {
        try sample(try InputFile(path))
    }

    /// Takes a file by what it is. A name that ends in `.bin`, `--base` and `--caller` say that it is code, unless it is certainly
    /// something else that has a use here: a core dump, or a packet, also as JSON.
    private func sample(_ file: InputFile) throws(EpitopeError) -> Found {
        switch file.kind {
        case .core: return try CoreInput(file: file, input: self).found()
        case .packet:
            return try packet(file) { bytes throws(EpitopeError) in try ExtractedPacket(encoded: bytes) }
        case .json where !isTakenAsCode(file) || isJSONObject(file):
            var found = try packet(file) { bytes throws(EpitopeError) in try json(bytes, of: file) }
            if isTakenAsCode(file) { found.notes.insert("\(file.path) is a packet as JSON; it is taken as that, not as code", at: 0) }
            return found
        case .empty:
            throw EpitopeError(.codeEmpty, "\(file.path) is empty", remedy: "name a file with the code that the call came from")
        case .pcap, .pcapng, .goodwareIndex: throw .unusable(file, asA: "a sample")
        case .archive where !isSaidToBeCode: throw .unusable(file, asA: "a sample")
        case .other: break
        case .program, .foreignProgram, .document, .json, .rules, .text, .archive:
            guard isTakenAsCode(file) else { throw .unusable(file, asA: "a sample") }
        }
        var found = try CodeInput(file: file, input: self).found()
        if file.kind != .other { found.notes.insert("\(file.path) begins like \(file.kind.description); it is taken as code", at: 0) }
        return found
    }

    /// Whether the file's name or the options say that it is code.
    private func isTakenAsCode(_ file: InputFile) -> Bool { isSaidToBeCode || file.path.hasSuffix(".bin") }

    /// Whether all of the file is JSON. Code that begins like it is not.
    private func isJSONObject(_ file: InputFile) -> Bool {
        (try? file.bytes(maxBytes: Self.maxJSONBytes)).map { JSONContent($0).isObject } ?? false
    }

    private func packet(
        _ file: InputFile, _ decode: ([UInt8]) throws(EpitopeError) -> ExtractedPacket
    ) throws(EpitopeError) -> Found {
        do throws(EpitopeError) {
            let packet = try decode(try file.bytes(maxBytes: Self.maxJSONBytes))
            return Found(samples: [
                Named(
                    name: file.path, sample: Sample(packet), timeMilliseconds: packet.parameters.timeMilliseconds,
                    packetID: packet.id)
            ])
        } catch {
            throw error.about(file.path)
        }
    }

    private func json(_ bytes: [UInt8], of file: InputFile) throws(EpitopeError) -> ExtractedPacket {
        if let what = JSONContent(bytes).description {
            throw .unusable(
                file, asA: "a sample: it holds \(what)", remedy: "search for signatures with epitope verify; extract takes packets")
        }
        return try ExtractedPacket(json: String(decoding: bytes, as: UTF8.self))
    }

    /// An address of the command line.
    ///
    /// - Throws: `address-malformed`.
    static func address(_ text: String, option: String) throws(EpitopeError) -> UInt64 {
        let isHexadecimal = text.lowercased().hasPrefix("0x")
        guard let value = isHexadecimal ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text) else {
            throw EpitopeError(
                .addressTextMalformed, "\(option) \(text) is not a 64-bit address",
                remedy: "write it in decimal, or in hexadecimal with 0x before it")
        }
        return value
    }
}
