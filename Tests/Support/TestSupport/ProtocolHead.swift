// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// The constant beginning of a message of a well-known protocol, as benign clients send it. An attack that comes in such a
/// message has it in front of its code, in the same buffer.
public struct ProtocolHead: Sendable, CustomStringConvertible {
    public var name: String
    public var transport: TransportProtocol
    public var port: UInt16
    public var bytes: [UInt8]

    public var description: String { name }

    private init(_ name: String, _ transport: TransportProtocol, _ port: UInt16, _ bytes: [UInt8]) {
        (self.name, self.transport, self.port, self.bytes) = (name, transport, port, bytes)
    }

    /// - Parameter mixed: text, with hexadecimal digits in braces.
    init(_ name: String, _ transport: TransportProtocol, _ port: UInt16, mixed: String) {
        let bytes = mixed.split(separator: "{", omittingEmptySubsequences: false).enumerated().flatMap { number, part -> [UInt8] in
            guard number > 0 else { return Array(part.utf8) }
            let halves = part.split(separator: "}", maxSplits: 1, omittingEmptySubsequences: false)
            return Self.hex(String(halves[0])) + (halves.count > 1 ? Array(halves[1].utf8) : [])
        }
        self.init(name, transport, port, bytes)
    }

    init(_ name: String, _ transport: TransportProtocol, _ port: UInt16, _ text: String) {
        self.init(name, transport, port, Array(text.utf8))
    }

    public static let all = [http, httpJSON, smtp, sip, dns, tls, smb1, smb2] + others

    /// As Firefox and a shop's page send it.
    static let http = ProtocolHead(
        "HTTP", .tcp, 80,
        "POST /cart/checkout HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 "
            + "Firefox/128.0\r\nAccept: text/html,application/xhtml+xml\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            + "Content-Length: 400\r\n\r\nitem=%E4%F6&note=")

    static let httpJSON = ProtocolHead(
        "HTTP with JSON", .tcp, 8080,
        "PUT /api/v2/items/17 HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\nAuthorization: Basic "
            + "Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n{\"name\": \"item\", \"tags\": [\"new\", \"sale\"], \"image\": \"")

    static let smtp = ProtocolHead(
        "SMTP", .tcp, 25,
        "EHLO mail.example.com\r\nMAIL FROM:<news@example.com> SIZE=2048\r\nRCPT TO:<list@example.org>\r\nDATA\r\nReceived: from "
            + "mail.example.com\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
            + "quoted-printable\r\n\r\nDear subscriber,=0D=0A")

    static let sip = ProtocolHead(
        "SIP", .udp, 5060,
        "INVITE sip:100@pbx.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK776asdhds\r\nMax-Forwards: 70\r\nTo: "
            + "<sip:100@pbx.example.com>\r\nCSeq: 314159 INVITE\r\nContent-Type: application/sdp\r\nUser-Agent: softphone\r\n\r\nv=0\r\n")

    /// RFC 1035, section 4.1: recursion desired, one question, one additional record (EDNS, RFC 6891).
    static let dns = ProtocolHead(
        "DNS", .udp, 53,
        [
            hex("01000001000000000001"), label("www"), label("static-content"), label("example"), label("com"),
            hex("0000010001000029100000008000000c"),
        ].flatMap { $0 })

    /// RFC 8446, section 4.1.2: the cipher suites and extensions of a browser's ClientHello, without its random parts.
    static let tls = ProtocolHead(
        "TLS", .tcp, 443,
        [
            hex("16030102000100 01fc03030022 130113031302c02bc02fcca9cca8c02cc030c00ac009c013c014009c009d002f0035 01000191"),
            hex("00000015001300 0010"), Array("shop.example.com".utf8),
            hex("00170000ff01000100000a000e000c001d00170018001901000101000b00020100002300000010000e000c0268 3208"), Array("http/1.1".utf8),
            hex("00050005010000 0000000d0018001604030503060308040805080604010501060102030201002d00"),
        ].flatMap { $0 })

    /// [MS-CIFS] 2.2.4.52: a negotiation with its dialects.
    static let smb1 = ProtocolHead(
        "SMB", .tcp, 139,
        [
            hex("00000085ff534d4272000000001853c80000000000000000000000000000fffe000000000062 00"),
            Array("\u{2}PC NETWORK PROGRAM 1.0\0\u{2}LANMAN1.0\0\u{2}Windows for Workgroups 3.1a\0\u{2}NT LM 0.12\0".utf8),
        ].flatMap { $0 })

    /// [MS-SMB2] 2.2.3 and 2.2.13: a header, and the name of a share in UTF-16.
    static let smb2 = ProtocolHead(
        "SMB 2", .tcp, 445,
        [
            hex("000000b0fe534d424000010000000000 03001f00"), [UInt8](repeating: 0, count: 12), hex("fffe0000"),
            [UInt8](repeating: 0, count: 20), hex("0900000048002800"), #"\\files.example.com\public"#.utf8.flatMap { [$0, 0] },
        ].flatMap { $0 })

    private static func hex(_ digits: String) -> [UInt8] { Hex.decode(digits.filter { $0 != " " })! }

    private static func label(_ name: String) -> [UInt8] { [UInt8(name.utf8.count)] + name.utf8 }
}
