// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import Signatures

/// Reads the STIX indicators that ``StixRendering`` writes, in a bundle or alone.
enum StixReader {
    private struct Object: Decodable {
        let type: String
        let id: String?
        let name: String?
        let pattern: String?
        let objects: [Object]?
    }

    /// `nil` if the JSON is neither a bundle nor an indicator.
    static func contents(of json: [UInt8]) -> RuleReader.Contents? {
        guard let object = try? JSONDecoder().decode(Object.self, from: Data(json)) else { return nil }
        switch object.type {
        case "indicator": return contents(of: [object])
        case "bundle": return contents(of: object.objects ?? [])
        default: return nil
        }
    }

    /// Objects of other types say who made the indicators, and are skipped.
    private static func contents(of objects: [Object]) -> RuleReader.Contents {
        var contents = RuleReader.Contents()
        for object in objects where object.type == "indicator" {
            do throws(Unreadable) {
                contents.rules.append(try rule(object))
            } catch {
                contents.refusals.append(.init(place: String((object.id ?? "an indicator without an id").prefix(60)), reason: error.reason))
            }
        }
        return contents
    }

    private static func rule(_ object: Object) throws(Unreadable) -> RuleReader.ReadRule {
        guard let id = object.name?.between(StixRendering.namePrefix, "") else {
            throw Unreadable("its name is not one that Epitope gives")
        }
        guard let pattern = object.pattern?.between("[", "]") else { throw Unreadable("it has no pattern of observations") }
        // A bracket can't stand in an observation: its bytes are hexadecimal.
        let observations = pattern.split(separator: "]\(StixRendering.observationSeparator)[").map(String.init)
        guard (1...SignatureContext.maxParts).contains(observations.count) else {
            throw Unreadable("it has \(observations.count) observations")
        }
        var signatures: [Signature] = []
        for observation in observations { signatures.append(try signature(observation)) }
        var whole = signatures[0]
        guard signatures.allSatisfy({ $0.id == whole.id }) else { throw Unreadable("its observations are of different bytes") }
        whole.context = SignatureContext(uniting: signatures.map(\.context))
        return RuleReader.ReadRule(signature: whole, language: .stix, namedID: id)
    }

    private static func signature(_ pattern: String) throws(Unreadable) -> Signature {
        var scanner = PatternScanner(pattern)
        var context = SignatureContext.any
        if scanner.take("network-traffic:protocols[*] = '") {
            guard let name = scanner.upTo("'"), let transport = TransportProtocol(rawValue: name), transport != .other else {
                throw Unreadable("its protocol is neither tcp nor udp")
            }
            context.transport = transport
            guard scanner.take(" AND ") else { throw Unreadable("its pattern searches for no bytes") }
            if scanner.take("network-traffic:dst_port IN (") { context.ports = try ports(&scanner) }
        }
        var runs: [RenderedRun] = []
        repeat {
            let direction: SignatureContext.Direction
            if scanner.take("network-traffic:src_payload_ref.payload_bin MATCHES '") {
                direction = .toService
            } else if scanner.take("network-traffic:dst_payload_ref.payload_bin MATCHES '") {
                direction = .fromPeer
            } else if scanner.take("artifact:payload_bin MATCHES '") {
                direction = .any
            } else {
                throw Unreadable("it compares something else than a payload, or not as Epitope does")
            }
            guard runs.isEmpty || context.direction == direction, (direction == .any) == (context.transport == nil) else {
                throw Unreadable("its parts are about different payloads")
            }
            context.direction = direction
            guard let expression = scanner.upTo("'") else { throw Unreadable("its expression has no end") }
            runs += try Self.runs(expression)
        } while scanner.take(" AND ")
        guard scanner.isAtEnd else { throw Unreadable("its pattern goes on in another form than Epitope's") }
        return try RunReader.signature(of: runs, context: context)
    }

    private static func ports(_ scanner: inout PatternScanner) throws(Unreadable) -> [UInt16] {
        let fields = (scanner.upTo(") AND ") ?? "").split(separator: ",", omittingEmptySubsequences: false)
        let ports = fields.compactMap { UInt16($0.trimmed) }
        guard ports.count == fields.count, ports.count <= SignatureContext.maxPorts else { throw Unreadable("its ports are not numbers") }
        return ports
    }

    /// The runs of a regular expression. Its backslashes are doubled, as in every string of a pattern.
    private static func runs(_ expression: String) throws(Unreadable) -> [RenderedRun] {
        var scanner = PatternScanner(expression)
        guard scanner.take("(?s)") else { throw other(expression) }
        var place = RenderedRun.Place.anywhere
        if scanner.take("\\\\A") { place = .fromStart(try gap(&scanner, expression) ?? 0...RenderedRun.endless) }
        var runs: [RenderedRun] = []
        while true {
            var bytes: [UInt8] = []
            while scanner.take("\\\\x") {
                guard let byte = scanner.byte() else { throw other(expression) }
                bytes.append(byte)
            }
            guard !bytes.isEmpty else { throw other(expression) }
            runs.append(RenderedRun(bytes: bytes, place: place))
            if scanner.isAtEnd { return runs }
            place = .after(try gap(&scanner, expression))
        }
    }

    /// `.*?`, `.{n}`, `.{n,m}?`, `.{n,}?`, or nothing for no bytes.
    private static func gap(_ scanner: inout PatternScanner, _ expression: String) throws(Unreadable) -> ClosedRange<Int>? {
        if scanner.take(".*?") { return nil }
        guard scanner.take(".{") else { return 0...0 }
        guard let low = scanner.number() else { throw other(expression) }
        if scanner.take("}") { return low...low }
        guard scanner.take(",") else { throw other(expression) }
        if scanner.take("}?") { return low...RenderedRun.endless }
        guard let high = scanner.number(), low <= high, scanner.take("}?") else { throw other(expression) }
        return low...high
    }

    private static func other(_ expression: String) -> Unreadable {
        Unreadable("not an expression as Epitope writes it: \(expression.prefix(Unreadable.maxQuote))")
    }
}
