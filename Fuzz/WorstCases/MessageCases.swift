// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport

/// Messages and rules that nest, repeat or backtrack most: what a host, a linked site, or anybody's rules file can hold.
extension WorstCases {
    private static let small = [16 << 10, 64 << 10]
    private static let large = [128 << 10, 1 << 20]

    static let messages: [WorstCase] = [
        reading("packet-tree", "fields within fields: a packet on the wire", by: .packet, sizes: small) { size, _ in tree(size) },
        reading("packet-empty", "as many empty fields: a packet on the wire", by: .packet, sizes: small) { size, _ in
            repeated([0x0a, 0], size)
        },
        reading("packet-json-tree", "arrays within arrays: a packet as JSON", by: .packetJSON, sizes: small) { size, _ in
            [UInt8](repeating: UInt8(ascii: "["), count: size)
        },
        reading("packet-json-keys", "the same key again and again: a packet as JSON", by: .packetJSON, sizes: small, maxMemory: 400) {
            size, _ in Array("{".utf8) + repeated(Array(#""id":"","#.utf8), size) + Array(#""id":""}"#.utf8)
        },
        reading("updates-empty", "a list of empty updates on the wire", by: .updates, sizes: large, maxMemory: 400) { size, _ in
            repeated([0x0a, 0], size)
        },
        reading("updates-tree", "updates within updates on the wire", by: .updates, sizes: large) { size, _ in tree(size) },
        reading("signature-json-tokens", "as many tokens: a signature as JSON", by: .signatureJSON, sizes: large, maxMemory: 400) {
            size, _ in
            let token = #"{"pattern":"00??00","gap":[0,4294967295]},"#
            return Array(#"{"arrangement":"sequence","context":{"ports":[],"direction":"any"},"tokens":["#.utf8)
                + repeated(Array(token.utf8), size) + Array(#"{"pattern":"00"}]}"#.utf8)
        },
        reading("signature-tokens", "the shortest tokens: a signature on the wire", by: .signature, sizes: large, maxMemory: 400) {
            size, _ in
            repeated([0x0a, 3, 0x0a, 1, 7], size)
        },
        reading("updates-json-keys", "the same key again and again: an update as JSON", by: .updatesJSON, sizes: large, maxMemory: 400) {
            size, _ in Array("{".utf8) + repeated(Array(#""sequence":1,"#.utf8), size) + Array(#""sequence":1}"#.utf8)
        },
        reading("stix-objects", "a bundle of empty objects", by: .stix, sizes: large, maxMemory: 800) { size, _ in
            Array(#"{"type":"bundle","objects":["#.utf8) + repeated(Array("{},".utf8), size) + Array("{}]}".utf8)
        },
        reading("stix-pattern", "a pattern of gaps alone", by: .stix, sizes: large, maxMemory: 400) { size, scratch in
            // As a center writes it, with many gaps where its first byte is sought.
            let bundle = String(decoding: try FuzzParser.stix.seeds(scratch).first ?? [], as: UTF8.self)
            return Array(bundle.replacingOccurrences(of: "(?s)", with: "(?s)" + String(repeating: ".{0,9}?", count: size / 7)).utf8)
        },
        reading("stix-tree", "objects within objects", by: .stix, sizes: large, maxMemory: 400) { size, _ in
            repeated(Array(#"{"objects":["#.utf8), size)
        },
        rules("rule-contents", "a Suricata rule of many contents") { size in
            #"alert tcp any any -> any any (msg:"m"; "# + String(repeating: #"content:"|00|"; within:9; "#, count: size / 26)
                + "sid:3900000; rev:1;)"
        },
        reading("rule-syntax", "the same: the strict check", by: .rules, sizes: large) { size, _ in
            let contents = String(repeating: #"content:"|00|"; distance:0; within:9; "#, count: size / 37)
            return Array((#"alert tcp any any -> any any (msg:"m"; "# + contents + "sid:3900000; rev:1;)").utf8)
        },
        rules("rule-open", "lines that begin rules and don't end them") { size in
            String(repeating: "alert tcp any any -> any any (content:\"|00\n", count: size / 43)
        },
        rules("rule-yara-jumps", "a YARA rule of many jumps") { size in
            "rule Epitope_0 {\nstrings:\n$t0 = { 00 " + String(repeating: "[0-9] 00 ", count: size / 9) + "}\ncondition:\nall of them\n}\n"
        },
        rules("rule-yara-open", "YARA rules without ends") { size in String(repeating: "rule Epitope_0\n{\n", count: size / 17) },
        rules("rule-clamav", "a ClamAV signature of many gaps") { size in
            "Epitope.Signature-0;Engine:81-255,Target:0;0;" + String(repeating: "00{0-9}", count: size / 7) + "00\n"
        },
        reading("policy-tree", "a policy of arrays within arrays", by: .policy, sizes: small) { size, _ in
            Array(#"{"exclusions":"#.utf8) + [UInt8](repeating: UInt8(ascii: "["), count: size)
        },
        reading("policy-exclusions", "a policy of many exclusions", by: .policy, sizes: small, maxMemory: 800) { size, _ in
            let one = #"{"user":"a","evidence":"packed-program","reason":"r","until":"2027-06-30"},"#
            return Array(#"{"exclusions":["#.utf8) + repeated(Array(one.utf8), size) + Array("]}".utf8)
        },
        reading("event-log-lines", "the shortest lines: an event log", by: .eventLog, sizes: large, maxMemory: 800) { size, _ in
            repeated(Array("{}\n".utf8), size)
        },
        reading("core-notes", "a core dump of the shortest notes", by: .coreDump, sizes: large, maxMemory: 100) { size, _ in
            core(notes: repeated([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], size))
        },
        reading("core-regions", "a core dump of regions of a page without bytes", by: .coreDump, sizes: large, maxMemory: 100) { size, _ in
            var core = CoreFile()
            core.manySegments = true
            core.regions = (1...size / 56).map { .init(start: UInt64($0) << 13, bytes: [0], stored: 0) }
            core.threads = [.init(id: 1, instruction: 0x2000, stackPointer: 0x2000)]
            return core.bytes
        },
        reading("index-zeros", "an index of goodware that goes on as zeros", by: .goodwareIndex, sizes: large) { size, scratch in
            (try FuzzParser.goodwareIndex.seeds(scratch).first ?? []) + zeros(size)
        },
        reading("image-symbols", "a program file whose table of symbols has no end", by: .images, sizes: large, maxMemory: 100) { size, _ in
            (ImageSeeds.all.max { $0.count < $1.count } ?? []) + zeros(size)
        },
        reading("unwind-zeros", "an image whose tables go on as zeros", by: .unwindTables, sizes: large, maxMemory: 100) { size, _ in
            (ImageSeeds.all.first ?? []) + zeros(size)
        },
    ]

    /// Files of rules, in any of the languages.
    private static func rules(_ name: String, _ what: String, _ text: @escaping @Sendable (Int) -> String) -> WorstCase {
        reading(name, "\(what): read back", by: .ruleFiles, sizes: large, maxMemory: 800) { size, _ in Array(text(size).utf8) }
    }

    /// Fields of number 1, each all that the one around it holds.
    private static func tree(_ size: Int) -> [UInt8] {
        // From the inside: reversed.
        var reversed: [UInt8] = []
        while reversed.count < size {
            var (length, digits) = (reversed.count, [UInt8]())
            repeat {
                digits.append(UInt8(length & 0x7f) | (length > 0x7f ? 0x80 : 0))
                length >>= 7
            } while length > 0
            reversed += digits.reversed()
            reversed.append(0x0a)
        }
        return reversed.reversed()
    }

    /// An ELF core dump with one segment, of notes.
    private static func core(notes: [UInt8]) -> [UInt8] {
        func number(_ value: Int, _ size: Int) -> [UInt8] { ByteOrder.little(UInt64(value), size) }
        let (header, segment) = (64, 56)
        var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + zeros(9)
        file += number(4, 2) + number(62, 2) + number(1, 4) + number(0, 8) + number(header, 8) + number(0, 8) + number(0, 4)
        file += number(header, 2) + number(segment, 2) + number(1, 2) + number(64, 2) + number(0, 2) + number(0, 2)
        file += number(4, 4) + number(0, 4) + number(header + segment, 8) + number(0, 8) + number(0, 8) + number(notes.count, 8)
        return file + number(0, 8) + number(4, 8) + notes
    }
}
