// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

extension AttackFamily {
    /// The attacks of Polygraph (Newsome, Karp, Song 2005) and Hamsa (Li, Sanghi, Chen, Kao, Chavez 2006), with the
    /// invariant tokens that the papers list. Lengths of fill are ours, of the size of such requests.
    static let published: [AttackFamily] = [apacheKnacker, bindTSIG, codeRedII, atphttpd, clet, tapion]

    private static let web = SignatureContext(transport: .tcp, ports: [80], direction: .toService)
    private static let names = SignatureContext(transport: .udp, ports: [53], direction: .toService)
    private static let service = SignatureContext(transport: .tcp, ports: [6379], direction: .toService)

    private static func text(_ text: String) -> Part { .word(Array(text.utf8)) }
    private static func token(_ text: String) -> Part { .token(Array(text.utf8)) }

    /// Two Host headers, and two bytes of a return address in the second.
    static let apacheKnacker = AttackFamily(
        name: "Apache-Knacker", context: web,
        parts: [
            text("GET "), .fill(5...60, target), text(" HTTP/1.1\r\n"), .fill(4...20, letters), text(": "), .fill(5...60, header),
            text("\r\nHost: "), .fill(150...300, header), text("\r\n"), .fill(4...20, letters), text(": "), .fill(5...60, header),
            text("\r\nHost: "), .fill(150...300, header), .token([0xff, 0xbf]), .fill(10...60, header), text("\r\n\r\n"),
        ],
        published: "Polygraph: FN 0, FP 92.5 / 0.008 / 0.0024 / 0.0008; Hamsa: FN 0, FP 0")

    /// Two bytes of a return address and the type of a TSIG record. The counts of the header are as in any query that
    /// has an additional record.
    static let bindTSIG = AttackFamily(
        name: "BIND-TSIG", context: names,
        parts: [
            .fill(4...4, anything), .word([0, 1, 0, 0, 0, 0, 0, 1]), .fill(150...300, anything), .token([0xff, 0xbf]),
            .fill(20...120, anything), .token([0x00, 0x00, 0xfa]), .fill(4...20, anything),
        ],
        published: "Polygraph: FN 0, FP 0.3279 / 0.0023 / 0 / 0")

    static let codeRedII = AttackFamily(
        name: "Code-Red-II", context: web,
        parts: [
            text("GET /"), .fill(4...12, letters), token(".ida?"), .fill(150...240, letters), token("%u"), .fill(4...4, hexDigits),
            token("%u780"), .fill(1...1, hexDigits), token("%u"), .fill(4...8, hexDigits), text(" HTTP/1.0\r\n"),
            .fill(100...300, anything),
        ],
        published: "Hamsa: FN 0, FP 0")

    static let atphttpd = AttackFamily(
        name: "ATPhttpd", context: web,
        parts: [
            text("GET /"), .fill(400...700, target), .token([0x9e, 0xf8]), .fill(4...40, target), text(" HTTP/1.1\r\n"),
            .fill(4...60, header),
        ],
        published: "Hamsa: FN 0, FP 0")

    /// What the decoders of the polymorphic engine CLET have in common: three short tokens, as data.
    static let clet = AttackFamily(
        name: "CLET-like", context: service,
        parts: [
            .fill(20...200, anything), .token([0x30, 0x8b]), .fill(4...30, anything), .token([0x74, 0x07, 0xeb]),
            .fill(4...60, anything), .token([0xff, 0xff, 0xff]), .fill(200...400, anything),
        ],
        published: "Hamsa: FN 0, FP about 0.1, binary about 0.3")

    /// What the decoders of the polymorphic engine TAPiON have in common: two short tokens, as data.
    static let tapion = AttackFamily(
        name: "TAPiON-like", context: service,
        parts: [
            .fill(20...100, anything), .token([0x9b, 0xdb, 0xe3]), .fill(10...120, anything), .token([0x00, 0x00]),
            .fill(200...400, anything),
        ],
        published: "Hamsa: FN 0, FP about 0.1, binary about 0.1")
}
