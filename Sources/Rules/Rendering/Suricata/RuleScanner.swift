// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// Parses a rule from left to right. Every method returns `nil` if the text doesn't match.
struct RuleScanner {
    private let bytes: [UInt8]
    private let form: RuleSyntax.Form
    private var position = 0

    init(_ text: String, _ form: RuleSyntax.Form = .suricata) {
        bytes = Array(text.utf8)
        self.form = form
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func rule() -> SuricataRule? {
        guard let action = SuricataRule.Action(rawValue: word()), take(" "),
            let ruleProtocol = SuricataRule.RuleProtocol(rawValue: word()), take(" any "), let source = ports(),
            take(" -> "), let addresses = addresses(), take(" "), let destination = ports(), take(" (msg:\""), let message = message(),
            take("\"; ")
        else { return nil }
        var flow: SuricataRule.Flow?
        if take("flow:") {
            flow = SuricataRule.Flow(rawValue: upTo(";"))
            guard flow != nil, take("; ") else { return nil }
        }
        var dsizeAbove: Int?
        if take("dsize:>") {
            dsizeAbove = option()
            guard dsizeAbove != nil else { return nil }
        }
        var buffer = buffer()
        var contents: [SuricataRule.Content] = []
        while take("content:\"|") {
            guard let content = content(in: &buffer) else { return nil }
            contents.append(content)
        }
        guard let metadata = metadata() else { return nil }
        var generator = 1
        if take("gid:") {
            // The default is not written.
            guard let value = option(), value > 1 else { return nil }
            generator = value
        }
        guard take("classtype:\(SuricataRule.classtype); sid:"),
            let sid = number().flatMap({ UInt32(exactly: $0) }), take("; rev:"), let revision = number(), take(";)")
        else { return nil }
        return SuricataRule(
            action: action, ruleProtocol: ruleProtocol, destinationAddresses: addresses, sourcePorts: source,
            destinationPorts: destination, message: message, flow: flow, dsizeAbove: dsizeAbove, buffer: buffer, contents: contents,
            metadata: metadata, sid: sid,
            generator: generator, revision: revision)
    }

    /// What is named before the contents.
    private mutating func buffer() -> ProtocolBuffer? {
        // The longer ones first: some begin as others.
        let names = ProtocolBuffer.allCases.compactMap { buffer in form.keyword(of: buffer).map { (buffer, $0) } }
        return names.sorted { $0.1.utf8.count > $1.1.utf8.count }.first { take("\($0.1); ") }?.0
    }

    /// - Parameter buffer: gets the one that is named behind the content.
    private mutating func content(in buffer: inout ProtocolBuffer?) -> SuricataRule.Content? {
        var run: [UInt8] = []
        for pair in upTo("|").split(separator: " ", omittingEmptySubsequences: false) {
            guard pair.utf8.count == 2, let byte = Hex.decode(pair)?.first else { return nil }
            run.append(byte)
        }
        guard take("|\"") else { return nil }
        var placement = SuricataRule.Placement.anywhere
        if let offset = modifier("offset") {
            placement = .absolute(offset: offset, depth: modifier("depth"))
        } else if let distance = modifier("distance") {
            placement = .relative(distance: distance, within: modifier("within"))
        }
        let isFastPattern = take(form == .snort3 ? ",fast_pattern" : "; fast_pattern")
        if form == .snort2, let named = ProtocolBuffer.allCases.first(where: { $0.snort2Modifier.map { take("; \($0)") } ?? false }) {
            buffer = named
        }
        return take("; ") ? SuricataRule.Content(bytes: run, isFastPattern: isFastPattern, placement: placement) : nil
    }

    /// `; depth:5`, or for Snort 3 `,depth 5`.
    private mutating func modifier(_ name: String) -> Int? {
        let start = position
        if take(form == .snort3 ? ",\(name) " : "; \(name):"), let value = number() { return value }
        position = start
        return nil
    }

    private mutating func metadata() -> SuricataRule.Metadata? {
        guard take("metadata:epitope_signature ") else { return nil }
        let id = upTo(",")
        guard take(", created_at "), let created = CalendarDay(upTo(","), separator: "_", earliestYear: 0), take(", expires_at "),
            let expires = CalendarDay(upTo(","), separator: "_", earliestYear: 0), take(", origin ")
        else { return nil }
        let origin = upTo(";")
        guard take("; "), origin == "site" || (origin.hasPrefix("global-") && Int64(origin.dropFirst(7)).map { $0 >= 0 } == true)
        else { return nil }
        return SuricataRule.Metadata(signatureID: id, created: created, expires: expires, origin: origin)
    }

    private mutating func message() -> String? {
        var text: [UInt8] = []
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            if bytes[position] == UInt8(ascii: "\\") { position += 1 }
            guard position < bytes.count else { return nil }
            text.append(bytes[position])
            position += 1
        }
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func ports() -> [UInt16]? { list { UInt16($0) } }

    private mutating func addresses() -> [IPAddress]? { list { IPAddress($0) } }

    private mutating func list<Value>(of value: (Substring) -> Value?) -> [Value]? {
        if take("any") { return [] }
        guard take("[") else { return nil }
        let fields = upTo("]").split(separator: ",", omittingEmptySubsequences: false)
        let values = fields.compactMap(value)
        guard take("]"), values.count == fields.count else { return nil }
        return values
    }

    private mutating func option() -> Int? {
        guard let value = number(), take("; ") else { return nil }
        return value
    }

    private mutating func number() -> Int? {
        let start = position
        while position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) { position += 1 }
        return Int(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func word() -> String {
        upTo(" ")
    }

    private mutating func upTo(_ end: Unicode.Scalar) -> String {
        let start = position
        while position < bytes.count, bytes[position] != UInt8(ascii: end) { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func take(_ text: String) -> Bool {
        guard bytes[position...].starts(with: text.utf8) else { return false }
        position += text.utf8.count
        return true
    }
}

extension RuleSyntax.Form {
    /// What stands before the contents that are sought in a buffer.
    fileprivate func keyword(of buffer: ProtocolBuffer) -> String? {
        switch self {
        case .suricata: buffer.suricataKeywords
        case .snort2: buffer.snort2Keyword
        case .snort3: buffer.snort3Keyword
        }
    }
}
