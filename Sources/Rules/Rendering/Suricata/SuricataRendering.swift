// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Signatures

/// Suricata 7, as ``SuricataRule`` with the action `alert`. A signature whose context has several parts becomes as many rules,
/// one on each line.
public enum SuricataRendering: SignatureRendering {
    public static let hasNumbers = true

    public static func render(_ subject: RuleInput) throws(EpitopeError) -> String {
        try SuricataRule.rules(subject).map(\.text).joined(separator: "\n")
    }
}

extension SuricataRule {
    /// The largest `distance` and `within` that Suricata 7 accepts (DETECT_CONTENT_VALUE_MAX: 1 MiB).
    static let maxDistance = 1_048_576
    /// The largest `offset` and `depth` that Suricata 7 accepts: 16 bits.
    static let maxOffset = 65535

    /// Renders the rules of a signature, one for each part of its context.
    ///
    /// - Throws: as ``init(_:action:rarity:)``.
    public static func rules(_ input: RuleInput, action: Action = .alert) throws(EpitopeError) -> [SuricataRule] {
        var rules: [SuricataRule] = []
        for part in input.parts { rules.append(try SuricataRule(part, action: action)) }
        return rules
    }

    /// Renders a rule.
    ///
    /// An upper bound of a gap that is beyond what Suricata can express (64 KiB from the start of the payload, 1 MiB
    /// between tokens) is left out: no payload is as long. A masked token becomes several contents at exact distances.
    ///
    /// - Parameter rarity: decides which run of bytes is the fast pattern.
    /// - Throws: ``EpitopeError/Code/signatureUnrenderable``, ``EpitopeError/Code/sidOutOfRange`` or
    ///   ``EpitopeError/Code/ruleTooLong``.
    public init(_ input: RuleInput, action: Action = .alert, rarity: PatternSpecificity = .distinctBytes) throws(EpitopeError) {
        guard input.sids.contains(input.sid), (1...Int(Int32.max)).contains(input.revision) else {
            throw EpitopeError(
                .sidOutOfRange, "sid \(input.sid) revision \(input.revision) can't be a rule's number",
                remedy: "use a sid from \(input.sids.lowerBound) to \(input.sids.upperBound) and count revisions from 1")
        }
        let signature = input.signature
        guard signature.context.further.isEmpty else {
            throw EpitopeError(
                .signatureUnrenderable,
                "signature \(signature.id) is about \(signature.context.parts.count) kinds of traffic, and one rule is about one",
                remedy: "render a rule for each")
        }
        if let buffer = signature.context.buffer, signature.context.transport.map(buffer.transports.contains) != true {
            throw RenderedRun.unrenderable(signature, "its traffic has no \(buffer.rawValue)")
        }
        self.action = action
        generator = input.generator
        message = RuleMessage.printable(input.message)
        sid = input.sid
        revision = input.revision
        metadata = Metadata(
            signatureID: signature.id, created: CalendarDay(ofMilliseconds: input.createdMilliseconds),
            expires: CalendarDay(ofMilliseconds: input.expiresMilliseconds), origin: input.originName)
        (ruleProtocol, sourcePorts, destinationPorts, flow) = Self.header(signature.context)
        // Whichever side the attack came from, it came to the host that reported it.
        destinationAddresses = input.addresses
        let runs = try RenderedRun.runs(of: signature)
        buffer = signature.context.buffer
        dsizeAbove = buffer == nil ? Self.dsize(ruleProtocol, runs) : nil
        contents = try Self.contents(of: runs, signature, rarity)
        let length = text.utf8.count
        guard length <= Self.maxLength else {
            throw EpitopeError(
                .ruleTooLong,
                "the rule of signature \(signature.id) has \(length) bytes, Suricata reads at most \(Self.maxLength)",
                remedy: "shorten the signature: fewer or shorter tokens, at most about 2,500 bytes in all")
        }
    }

    /// Ports count only together with a protocol and a direction.
    private static func header(_ context: SignatureContext) -> (RuleProtocol, [UInt16], [UInt16], Flow?) {
        let ports = Array(Set(context.ports)).sorted()
        switch (context.transport, context.direction) {
        case (.udp?, .toService): return (.udp, [], ports, nil)
        case (.udp?, .fromPeer): return (.udp, ports, [], nil)
        case (.udp?, .any): return (.udp, [], [], nil)
        case (.tcp?, .toService): return (.tcp, [], ports, .toServer)
        case (.tcp?, .fromPeer): return (.tcp, ports, [], .toClient)
        case (.tcp?, .any): return (.tcp, [], [], .established)
        case (.other?, _), (nil, _): return (.ip, [], [], nil)
        }
    }

    private static func contents(of runs: [RenderedRun], _ signature: Signature, _ rarity: PatternSpecificity) throws(EpitopeError)
        -> [Content]
    {
        let best = rarity.rarest(of: runs.map(\.bytes))
        var contents: [Content] = []
        for (index, run) in runs.enumerated() {
            contents.append(
                Content(bytes: run.bytes, isFastPattern: index == best, placement: try placement(of: run, in: signature)))
        }
        return contents
    }

    private static func placement(of run: RenderedRun, in signature: Signature) throws(EpitopeError) -> Placement {
        // A gap's bounds are about a run's first byte, depth and within about all of its bytes.
        func room(_ gap: ClosedRange<Int>, upTo limit: Int) throws(EpitopeError) -> Int? {
            guard gap.lowerBound <= limit else {
                throw RenderedRun.unrenderable(signature, "a token lies \(gap.lowerBound) bytes away, possible is 0 to \(limit)")
            }
            let reach = gap.upperBound - gap.lowerBound + run.bytes.count
            return reach > limit ? nil : reach
        }
        switch run.place {
        case .anywhere: return .anywhere
        case .fromStart(let gap): return .absolute(offset: gap.lowerBound, depth: try room(gap, upTo: maxOffset))
        case .after(nil): return .relative(distance: 0, within: nil)
        case .after(let gap?): return .relative(distance: gap.lowerBound, within: try room(gap, upTo: maxDistance))
        }
    }

    /// A datagram that is too short for all tokens can't match, and Suricata rejects it by its size alone. TCP segments
    /// have no such bound: a token may lie in several of them.
    private static func dsize(_ ruleProtocol: RuleProtocol, _ runs: [RenderedRun]) -> Int? {
        let shortest = RenderedRun.minDataBytes(runs)
        return ruleProtocol == .udp && shortest <= maxOffset ? shortest - 1 : nil
    }
}
