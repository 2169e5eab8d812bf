// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import PacketCoding
import SignatureMaking
import Signatures
import TestSupport

extension FuzzParser {
    /// Packets in their wire format.
    static let packet = FuzzParser(
        name: "packet", what: "extracted packets on the wire, written again",
        dictionary: [[0x0a], [0x12], [0xff, 0xff, 0xff, 0xff, 0x0f], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]],
        seeds: { _ in packets.map { $0.encoded() } },
        run: { input, _ in try use(try ExtractedPacket(encoded: input)) })

    /// Packets as JSON.
    static let packetJSON = FuzzParser(
        name: "packet-json", what: "extracted packets as JSON, written again", dictionary: JSONWords.all,
        seeds: { _ in packets.flatMap { [Array($0.json().utf8), Array($0.json(pretty: false).utf8)] } },
        run: { input, _ in try use(try ExtractedPacket(json: String(decoding: input, as: UTF8.self))) })

    private static var packets: [ExtractedPacket] {
        var windowOnly = Samples.packet(hostID: nil)
        windowOnly.content = .signature(Samples.callerWindow)
        windowOnly.architecture = .arm64
        var connected = Samples.packet()
        connected.parameters.process.listening = []
        connected.parameters.process.connected = [
            .init(transport: .tcp, local: SocketEndpoint(address: "::1", port: 9), peer: SocketEndpoint(address: "2001:db8::1", port: 443))
        ]
        connected.parameters.timeMilliseconds = 253_402_300_799_999
        return [Samples.packet(), windowOnly, connected]
    }

    /// An accepted packet must be equal after encoding and decoding in both formats, and have a caller window.
    private static func use(_ packet: ExtractedPacket) throws {
        guard try ExtractedPacket(encoded: packet.encoded()) == packet else { broken("a packet is another after the wire") }
        guard try ExtractedPacket(json: packet.json()) == packet else { broken("a packet is another after JSON") }
        if case .code(let code) = packet.content { _ = try CallerWindow.extract(from: code, callersAddress: packet.callersAddress) }
        _ = SignatureContext(packet.parameters.process)
    }
}

/// Typical problems of JSON parsers.
enum JSONWords {
    static let all: [[UInt8]] = [
        "-1", "0", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "1e309", "1e-400", "0.5", "null", "true",
        "[]", "{}", "[[[[[[[[", "\"\"", "\"??\"", "\\u0000", "\\ud800", "\\", "\"", ",", ":", "[0,4294967295]", "[-1,1]",
        "[0,9223372036854775807]", "[-9223372036854775808,9223372036854775807]", "\"0x\"", "0xffffffffffffffff", "\u{0}", "é",
    ].map { Array($0.utf8) }
}
