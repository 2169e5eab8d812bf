// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import PacketCoding
import SignatureMaking
import SignatureProving
import Signatures

/// Reads the samples of `epitope extract`.
struct ExtractInput {
    struct Named {
        var name: String
        var sample: Sample
    }

    /// In bytes: the largest file that is read as code.
    static let maxCodeBytes = 64 << 20

    var base: String?
    var caller: String?
    var architecture: Architecture

    /// - Throws: `file-unreadable`, `no-samples`, `code-empty`, `code-too-large`, `address-malformed`,
    ///   `caller-outside-code`, and as for reading a packet.
    func read(_ path: String) throws(EpitopeError) -> [Named] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { throw Self.unreadable(path) }
        guard isFolder.boolValue else { return [try sample(path)] }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else { throw Self.unreadable(path) }
        var samples: [Named] = []
        for name in names.sorted() where !name.hasPrefix(".") {
            let file = path + "/" + name
            guard FileManager.default.fileExists(atPath: file, isDirectory: &isFolder), !isFolder.boolValue else { continue }
            samples.append(try sample(file))
        }
        guard !samples.isEmpty else {
            throw EpitopeError(
                .noSamples, "the folder \(path) contains no samples",
                remedy: "put packets, or files of code named *.bin, into it")
        }
        return samples
    }

    private func sample(_ path: String) throws(EpitopeError) -> Named {
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        guard size <= Self.maxCodeBytes else {
            throw EpitopeError(
                .codeTooLarge, "\(path) has \(size) bytes, at most \(Self.maxCodeBytes) are read",
                remedy: "cut out the region that the call came from")
        }
        guard let data = try? Data(contentsOf: URL(filePath: path)) else { throw Self.unreadable(path) }
        let bytes = Array(data)
        if path.hasSuffix(".bin") || caller != nil || base != nil { return Named(name: path, sample: try code(bytes, path)) }
        let isJSON = bytes.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) } == UInt8(ascii: "{")
        let packet =
            isJSON
            ? try ExtractedPacket(json: String(decoding: bytes, as: UTF8.self)) : try ExtractedPacket(encoded: bytes)
        return Named(name: path, sample: Sample(packet))
    }

    private func code(_ bytes: [UInt8], _ path: String) throws(EpitopeError) -> Sample {
        guard !bytes.isEmpty else {
            throw EpitopeError(
                .codeEmpty, "\(path) is empty", remedy: "name a file with the code that the call came from")
        }
        let start = try address(base ?? "0", option: "--base")
        let end = start.addingReportingOverflow(UInt64(bytes.count))
        let code = ExtractedCode(base: start, bytes: bytes, isWholeRegion: true)
        let called = try caller.map { text throws(EpitopeError) in try address(text, option: "--caller") } ?? end.partialValue
        guard !end.overflow, let offset = code.offset(of: called), offset > 0 else {
            throw EpitopeError(
                .callerOutsideCode,
                "the caller's address 0x\(String(called, radix: 16)) is outside \(path), which has \(bytes.count) bytes "
                    + "from 0x\(String(start, radix: 16))",
                remedy: "give the address of the first byte with --base and the caller's address with --caller")
        }
        return Sample(code: code, callersAddress: called, architecture: architecture, context: .any)
    }

    private func address(_ text: String, option: String) throws(EpitopeError) -> UInt64 {
        let isHexadecimal = text.lowercased().hasPrefix("0x")
        guard let value = isHexadecimal ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text) else {
            throw EpitopeError(
                .addressTextMalformed, "\(option) \(text) is not a 64-bit address",
                remedy: "write it in decimal, or in hexadecimal with 0x before it")
        }
        return value
    }

    private static func unreadable(_ path: String) -> EpitopeError {
        EpitopeError(
            .fileUnreadable, "\(path) can't be read", remedy: "name an existing file or folder that this user may read"
        )
    }
}
