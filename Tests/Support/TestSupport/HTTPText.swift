// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Messages of HTTP/1 and DNS that carry given bytes in the forms in which they may.
public enum HTTPText {
    public static func request(_ method: String = "POST", target: [UInt8] = Array("/x".utf8), fields: [String] = [], body: [UInt8]?)
        -> [UInt8]
    {
        Array("\(method) ".utf8) + target
            + head(" HTTP/1.1", ["Host: a.example"] + fields + (body.map { ["Content-Length: \($0.count)"] } ?? [])) + (body ?? [])
    }

    public static func chunkedRequest(fields: [String] = [], body: [UInt8], chunk: Int) -> [UInt8] {
        head("POST /x HTTP/1.1", ["Host: a.example", "Transfer-Encoding: chunked"] + fields) + chunked(body, chunk)
    }

    public static func response(fields: [String] = [], body: [UInt8]) -> [UInt8] {
        head("HTTP/1.1 200 OK", fields + ["Content-Length: \(body.count)"]) + body
    }

    public static func chunkedResponse(fields: [String] = [], body: [UInt8], chunk: Int) -> [UInt8] {
        head("HTTP/1.1 200 OK", fields + ["Transfer-Encoding: chunked"]) + chunked(body, chunk)
    }

    private static func head(_ start: String, _ fields: [String]) -> [UInt8] {
        Array(([start] + fields + ["", ""]).joined(separator: "\r\n").utf8)
    }

    public static func chunked(_ body: [UInt8], _ size: Int) -> [UInt8] {
        stride(from: 0, to: body.count, by: size).flatMap { start -> [UInt8] in
            let part = body[start..<min(body.count, start + size)]
            return Array("\(String(part.count, radix: 16))\r\n".utf8) + part + Array("\r\n".utf8)
        } + Array("0\r\n\r\n".utf8)
    }

    /// Every byte as a percent sign and two digits.
    public static func percent(_ bytes: [UInt8]) -> [UInt8] {
        bytes.flatMap { Array("%\($0 < 16 ? "0" : "")\(String($0, radix: 16))".utf8) }
    }

    public static func gzip(_ bytes: [UInt8]) async throws -> [UInt8] {
        let folder = try TemporaryFolder()
        try Data(bytes).write(to: URL(fileURLWithPath: folder.path + "/data"))
        let ran = try await Command.run("/usr/bin/env", ["gzip", "-n", "-9", folder.path + "/data"])
        guard ran.status == 0 else { throw CocoaError(.fileReadUnknown) }
        return try Array(Data(contentsOf: URL(fileURLWithPath: folder.path + "/data.gz")))
    }

    /// What gzip makes without its head and end, as some servers send it for `deflate`; or with zlib's, as they should.
    public static func deflate(_ bytes: [UInt8], isBare: Bool) async throws -> [UInt8] {
        let bare = Array(try await gzip(bytes).dropFirst(10).dropLast(8))
        guard !isBare else { return bare }
        var (a, b) = (UInt32(1), UInt32(0))
        for byte in bytes {
            a = (a + UInt32(byte)) % 65521
            b = (b + a) % 65521
        }
        return [0x78, 0xda] + bare + [b, a].flatMap { [UInt8(truncatingIfNeeded: $0 >> 8), UInt8(truncatingIfNeeded: $0)] }
    }

    /// A query for a name; its labels are separated by dots.
    public static func dnsQuery(_ name: [UInt8], isStream: Bool = false) -> [UInt8] {
        let labels = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        var message: [UInt8] = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        for label in labels {
            message.append(UInt8(label.count))
            message += label
        }
        message += [0, 0, 1, 0, 1]
        return isStream ? [UInt8(message.count >> 8), UInt8(message.count & 0xff)] + message : message
    }
}

/// The frames of a whole connection in which both sides send, or of a datagram, over IPv4 or IPv6 (link type 101).
public struct Conversation: Sendable {
    public var isVersion6: Bool
    public var clientPort: UInt16
    public var serverPort: UInt16

    public init(isVersion6: Bool, clientPort: UInt16, serverPort: UInt16) {
        self.isVersion6 = isVersion6
        self.clientPort = clientPort
        self.serverPort = serverPort
    }

    public func datagram(_ payload: [UInt8]) -> [UInt8] {
        packet(isClient: true, inside: 17, NetworkFrame.udpDatagram(from: clientPort, to: serverPort, payload))
    }

    /// - Parameter segment: in bytes: the length of segments, each of which is acknowledged.
    public func connection(request: [UInt8], response: [UInt8], segment: Int = 1400) -> [[UInt8]] {
        var (client, server) = (UInt32(100), UInt32(900))
        var frames: [[UInt8]] = []
        func add(isClient: Bool, _ flags: NetworkFrame.Flags, _ payload: [UInt8] = []) {
            frames.append(
                tcp(isClient: isClient, isClient ? client : server, flags == .syn ? 0 : isClient ? server : client, flags, payload))
        }
        func send(isClient: Bool, _ bytes: [UInt8]) {
            for start in stride(from: 0, to: bytes.count, by: segment) {
                let part = Array(bytes[start..<min(bytes.count, start + segment)])
                add(isClient: isClient, .ack, part)
                if isClient { client += UInt32(part.count) } else { server += UInt32(part.count) }
                add(isClient: !isClient, .ack)
            }
        }
        add(isClient: true, .syn)
        client += 1
        add(isClient: false, [.syn, .ack])
        server += 1
        add(isClient: true, .ack)
        send(isClient: true, request)
        send(isClient: false, response)
        add(isClient: true, [.fin, .ack])
        client += 1
        add(isClient: false, [.fin, .ack])
        server += 1
        add(isClient: true, .ack)
        return frames
    }

    private func tcp(
        isClient: Bool, _ sequence: UInt32, _ acknowledged: UInt32, _ flags: NetworkFrame.Flags, _ payload: [UInt8]
    ) -> [UInt8] {
        func big(_ value: UInt32, _ count: Int) -> [UInt8] {
            (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
        }
        let (source, destination) = isClient ? (clientPort, serverPort) : (serverPort, clientPort)
        let segment =
            big(UInt32(source), 2) + big(UInt32(destination), 2) + big(sequence, 4) + big(acknowledged, 4)
            + [0x50, flags.rawValue, 0xff, 0xff, 0, 0, 0, 0] + payload
        return packet(isClient: isClient, inside: 6, segment)
    }

    private func packet(isClient: Bool, inside: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let (source, destination): (UInt8, UInt8) = isClient ? (1, 2) : (2, 1)
        return isVersion6
            ? NetworkFrame.ipv6(source, destination, next: inside, payload)
            : NetworkFrame.ipv4(source, destination, inside: inside, payload)
    }
}
