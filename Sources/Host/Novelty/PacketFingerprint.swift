// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel

/// What is stored of a packet to recognise later duplicates: about 400 bytes that contain neither code nor names.
///
/// Parameters are compared by the fields that describe the attacked service and how it was attacked. Fields that change from
/// one run of the same attack to the next are left out: time, process and thread ids, addresses (they are randomised), the
/// peer's address (worms choose theirs at random), ephemeral ports, connections, ancestors, host and
/// container ids, payload length.
public struct PacketFingerprint: Hashable, Sendable, Codable {
    /// How many fields of the parameters are compared.
    public static let parameterFields = 17
    /// The first port of Linux's default ephemeral range (net.ipv4.ip_local_port_range).
    static let firstEphemeralPort: UInt16 = 32768

    /// Whether the packet carried its signature instead of code: the two never match.
    public let isSignature: Bool
    /// SHA-256 of the bytes.
    public let codeKey: [UInt8]
    public let codeSketch: CodeSketch
    /// SHA-256 of all compared fields.
    public let parametersKey: [UInt8]
    /// The start of each field's SHA-256, in a fixed order.
    public let fieldKeys: [UInt64]

    public init(_ packet: ExtractedPacket) {
        let bytes: [UInt8]
        switch packet.content {
        case .code(let code): (bytes, isSignature) = (code.bytes, false)
        case .signature(let window): (bytes, isSignature) = (window, true)
        }
        codeKey = Array(SHA256.hash(data: [isSignature ? 1 : 0] + bytes))
        codeSketch = CodeSketch(bytes)
        let digests = Self.fields(packet).map { field in Array(SHA256.hash(data: Array(field.utf8))) }
        fieldKeys = digests.map { $0.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
        parametersKey = Array(SHA256.hash(data: digests.flatMap { $0 }))
    }

    /// Restores a fingerprint from its stored parts; `nil` when they are not of this version's form.
    public init?(isSignature: Bool, codeKey: [UInt8], sketch: [UInt8], parametersKey: [UInt8], fields: [UInt8]) {
        guard codeKey.count == 32, parametersKey.count == 32, fields.count == Self.parameterFields * 8,
            let codeSketch = CodeSketch(stored: sketch)
        else { return nil }
        self.isSignature = isSignature
        self.codeKey = codeKey
        self.codeSketch = codeSketch
        self.parametersKey = parametersKey
        fieldKeys = (0..<Self.parameterFields).map { fields[$0 * 8..<$0 * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) } }
    }

    /// ``fieldKeys`` as bytes.
    public var storedFields: [UInt8] {
        fieldKeys.flatMap { key in (0..<8).map { UInt8(truncatingIfNeeded: key >> UInt64(56 - 8 * $0)) } }
    }

    /// How many fields of the parameters differ.
    public func differingFields(from other: PacketFingerprint) -> Int {
        zip(fieldKeys, other.fieldKeys).count { $0 != $1 }
    }

    /// The compared fields, in the order of their keys. Adding or changing one makes every stored fingerprint differ.
    private static func fields(_ packet: ExtractedPacket) -> [String] {
        let parameters = packet.parameters
        let process = parameters.process
        let (backing, file) = backing(parameters.region.backing)
        let ports = Set(process.listening.filter { $0.local.port < firstEphemeralPort }.map { "\($0.transport.rawValue)/\($0.local.port)" })
        let peerPort = parameters.arguments.peer.flatMap { $0.port < firstEphemeralPort ? $0.port : nil }
        return [
            packet.architecture.rawValue, parameters.call.rawValue, text(parameters.arguments.transport?.rawValue),
            text(peerPort.map(String.init)), text(parameters.arguments.path), parameters.region.protection.description,
            backing, text(file), text(process.name), text(process.executable?.path), text(process.executable?.sha256),
            text(process.userID.map(String.init)), ports.sorted().joined(separator: " "), text(parameters.system.kernelRelease),
            text(parameters.system.distribution), text(parameters.system.distributionVersion), text(parameters.system.libcVersion),
        ]
    }

    /// Distinguishes absent from empty values.
    private static func text(_ value: String?) -> String {
        value.map { "=" + $0 } ?? ""
    }

    private static func backing(_ backing: MemoryBacking) -> (kind: String, file: String?) {
        switch backing {
        case .image(let path): ("image", path)
        case .kernel: ("kernel", nil)
        case .anonymous: ("anonymous", nil)
        case .stack: ("stack", nil)
        case .heap: ("heap", nil)
        case .memoryFile(let name): ("memory file", name)
        case .writtenImagePage(let path): ("written image page", path)
        case .writtenFile(let path): ("written file", path)
        }
    }
}
