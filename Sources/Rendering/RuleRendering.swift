public import EpitopeModel
public import Signatures

extension SuricataRule {
    /// The largest `distance` and `within` that Suricata 7 takes (DETECT_CONTENT_VALUE_MAX: 1 MiB).
    static let largestDistance = 1_048_576
    /// The largest `offset` and `depth` that Suricata 7 takes: 16 bits.
    static let largestOffset = 65535

    /// Renders the rule of a numbered update.
    public init(_ numbered: NumberedUpdate, action: Action, message: String? = nil) throws(EpitopeError) {
        let update = numbered.update
        try self.init(
            signature: update.signature, sid: numbered.sid, revision: update.revision, action: action,
            message: message ?? RuleMessage.standard(for: update.signature), created: update.createdMilliseconds,
            lifetime: update.lifetimeDays, origin: update.origin)
    }

    /// Renders a signature.
    ///
    /// An upper bound of a gap that is beyond what Suricata can express (64 KiB from the start of the payload, 1 MiB
    /// between tokens) is left out: no payload is as long.
    ///
    /// - Parameters:
    ///   - message: any text; it is made printable and escaped.
    ///   - created: in milliseconds since 1970-01-01T00:00:00Z.
    ///   - lifetime: in days from then.
    /// - Throws: ``EpitopeError/Code/signatureUnrenderable``, ``EpitopeError/Code/sidOutOfRange`` or
    ///   ``EpitopeError/Code/ruleTooLong``.
    public init(
        signature: Signature, sid: UInt32, revision: Int, action: Action, message: String, created: Int64,
        lifetime: Int, origin: SignatureUpdate.Origin
    ) throws(EpitopeError) {
        guard SidRange.all.contains(sid), (1...Int(Int32.max)).contains(revision) else {
            throw EpitopeError(
                .sidOutOfRange, "sid \(sid) revision \(revision) can't be a rule's number",
                remedy: "use a sid from \(SidRange.all.lowerBound) to \(SidRange.all.upperBound) and count revisions from 1")
        }
        self.action = action
        self.message = RuleMessage.printable(message)
        self.sid = sid
        self.revision = revision
        let days = Int64(min(max(lifetime, 0), 36_500))
        metadata = Metadata(
            signatureID: signature.id, created: RuleDate(milliseconds: created),
            expires: RuleDate(milliseconds: created.addingReportingOverflow(days * 86_400_000).partialValue),
            origin: Self.name(of: origin))
        (ruleProtocol, sourcePorts, destinationPorts, flow) = Self.header(signature.context)
        contents = try Self.contents(of: signature)
        let length = text.utf8.count
        guard length <= Self.largestLength else {
            throw EpitopeError(
                .ruleTooLong,
                "the rule of signature \(signature.id) has \(length) bytes, Suricata reads at most \(Self.largestLength)",
                remedy: "shorten the signature: fewer or shorter tokens, at most about 2,500 bytes in all")
        }
    }

    private static func name(of origin: SignatureUpdate.Origin) -> String {
        switch origin {
        case .site: "site"
        case .global(let sequence): "global-\(max(0, sequence))"
        }
    }

    /// Ports count only together with a protocol and a direction: without them a port says nothing of a packet.
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

    private static func contents(of signature: Signature) throws(EpitopeError) -> [Content] {
        guard !signature.tokens.isEmpty, signature.tokens.allSatisfy({ !$0.bytes.isEmpty }) else {
            throw unrenderable(signature, "it has no tokens, or an empty one")
        }
        // The most specific token: the most distinct bytes, then the longest, then the first.
        var best = 0
        for (index, token) in signature.tokens.enumerated() {
            let rival = signature.tokens[best]
            if (Set(token.bytes).count, token.bytes.count) > (Set(rival.bytes).count, rival.bytes.count) { best = index }
        }
        var contents: [Content] = []
        for (index, token) in signature.tokens.enumerated() {
            contents.append(
                Content(bytes: token.bytes, isFastPattern: index == best, placement: try placement(of: token, at: index, in: signature)))
        }
        return contents
    }

    private static func placement(of token: Signature.Token, at index: Int, in signature: Signature) throws(EpitopeError) -> Placement {
        guard let gap = token.gap else {
            return index == 0 ? .anywhere : .relative(distance: 0, within: nil)
        }
        let largest = index == 0 ? largestOffset : largestDistance
        guard gap.lowerBound >= 0, gap.lowerBound <= largest else {
            throw unrenderable(signature, "token \(index) lies \(gap.lowerBound) bytes away, possible is 0 to \(largest)")
        }
        // A gap's bounds speak of the token's first byte, depth and within of all of its bytes.
        let (reach, overflow) = (gap.upperBound - gap.lowerBound).addingReportingOverflow(token.bytes.count)
        let bounded = overflow || reach > largest ? nil : reach
        return index == 0 ? .absolute(offset: gap.lowerBound, depth: bounded) : .relative(distance: gap.lowerBound, within: bounded)
    }

    private static func unrenderable(_ signature: Signature, _ why: String) -> EpitopeError {
        EpitopeError(
            .signatureUnrenderable, "signature \(signature.id) can't be written as a rule: \(why)",
            remedy: "make the signature anew from the packets of its cluster")
    }
}
