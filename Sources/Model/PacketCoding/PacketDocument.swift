// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import Signatures

/// A packet as its JSON shows it. The model's own types stand in where their fields already read well.
struct PacketDocument: Codable {
    struct Code: Codable {
        var base: Address
        var bytes: HexBytes
        var isWholeRegion: Bool
    }

    struct Extraction: Codable {
        var signature: HostSignature?
        var signatureBytes: Int?
    }

    struct Region: Codable {
        var start: Address
        var end: Address
        /// As in `/proc/PID/maps`: `rwxp`.
        var protection: String
        var backing: String
        /// The file of an image, or the name of a memory file.
        var backingName: String?
    }

    var version: UInt32
    var id: String
    var architecture: Architecture
    var callersAddress: Address
    var code: Code?
    var signature: HexBytes?
    /// Of a signature that the host chose by what is unique; of code: of the one that would go in its place.
    var signatureAddress: Address?
    /// What the center is to take out of the code.
    var extraction: Extraction?
    var evidence: [Evidence]
    var action: ProtectiveAction
    /// The applications of behaviour blocking that were on at the host; absent where it didn't say.
    var applications: [BlockingApplication]?
    var call: CriticalCall
    var arguments: CallArguments
    var region: Region
    var process: ProcessParameters
    var system: SystemParameters
    /// ISO 8601 in UTC with milliseconds, for people; a reader goes by ``timeMilliseconds``.
    var time: String?
    var timeMilliseconds: Int64

    init(_ original: ExtractedPacket) {
        let packet = original.withinBounds
        version = ExtractedPacket.currentVersion
        id = packet.id
        architecture = packet.architecture
        callersAddress = Address(packet.callersAddress)
        switch packet.content {
        case .code(let extracted):
            code = Code(base: Address(extracted.base), bytes: HexBytes(extracted.bytes), isWholeRegion: extracted.isWholeRegion)
            extraction = packet.extraction.map { Extraction($0) }
        case .signature(let window):
            signature = HexBytes(window)
        }
        signatureAddress = packet.signatureAddress.map { Address($0) }
        evidence = packet.evidence
        action = packet.action
        applications = packet.applications.isEmpty ? nil : packet.applications
        call = packet.parameters.call
        arguments = packet.parameters.arguments
        region = Region(packet.parameters.region)
        process = packet.parameters.process
        system = packet.parameters.system
        timeMilliseconds = packet.parameters.timeMilliseconds
        let date = Date(timeIntervalSince1970: Double(timeMilliseconds) / 1000)
        time = date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    func packet() throws(EpitopeError) -> ExtractedPacket {
        let content: ExtractedPacket.Content
        switch (code, signature) {
        case (let code?, nil):
            content = .code(ExtractedCode(base: code.base.value, bytes: code.bytes.bytes, isWholeRegion: code.isWholeRegion))
        case (nil, let window?):
            content = .signature(window.bytes)
        default:
            throw .malformed("content", "is not exactly one of code and signature")
        }
        return ExtractedPacket(
            id: id, architecture: architecture, callersAddress: callersAddress.value, content: content, evidence: evidence,
            action: action, applications: applications ?? [],
            parameters: Parameters(
                call: call, arguments: arguments, region: try region.model(), process: process, system: system,
                timeMilliseconds: timeMilliseconds), signatureAddress: signatureAddress?.value, extraction: extraction?.model)
    }
}

extension PacketDocument.Extraction {
    init(_ request: ExtractionRequest) {
        self.init(signature: request.signature, signatureBytes: request.signature.map { _ in request.signatureBytes })
    }

    var model: ExtractionRequest { ExtractionRequest(signature: signature, signatureBytes: signatureBytes ?? CallerWindow.length) }
}

extension PacketDocument.Region {
    init(_ region: MemoryRegion) {
        start = Address(region.start)
        end = Address(region.end)
        protection = region.protection.description
        switch region.backing {
        case .image(let path): (backing, backingName) = ("image", path)
        case .kernel: (backing, backingName) = ("kernel", nil)
        case .anonymous: (backing, backingName) = ("anonymous", nil)
        case .stack: (backing, backingName) = ("stack", nil)
        case .heap: (backing, backingName) = ("heap", nil)
        case .memoryFile(let name): (backing, backingName) = ("memory-file", name)
        case .writtenImagePage(let path): (backing, backingName) = ("written-image-page", path)
        case .writtenFile(let path): (backing, backingName) = ("written-file", path)
        }
    }

    func model() throws(EpitopeError) -> MemoryRegion {
        let name = backingName ?? ""
        let kind: MemoryBacking? =
            switch backing {
            case "image": .image(path: name)
            case "kernel": .kernel
            case "anonymous": .anonymous
            case "stack": .stack
            case "heap": .heap
            case "memory-file": .memoryFile(name: name)
            case "written-image-page": .writtenImagePage(path: name)
            case "written-file": .writtenFile(path: name)
            default: nil
            }
        let rights = (0..<16).map { MemoryProtection(rawValue: $0) }.first { $0.description == protection }
        return MemoryRegion(
            start: start.value, end: end.value, protection: try Wire.known(rights, "region.protection"),
            backing: try Wire.known(kind, "region.backing"))
    }
}
