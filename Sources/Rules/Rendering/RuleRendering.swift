// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures

extension SuricataRule {
    /// The largest `distance` and `within` that Suricata 7 takes (DETECT_CONTENT_VALUE_MAX: 1 MiB).
    static let largestDistance = 1_048_576
    /// The largest `offset` and `depth` that Suricata 7 takes: 16 bits.
    static let largestOffset = 65535

    /// Renders the rule of a numbered update.
    public init(_ numbered: RuleAssignment, action: Action, message: String? = nil, rarity: PatternSpecificity = .distinctBytes)
        throws(EpitopeError)
    {
        let update = numbered.update
        try self.init(
            signature: update.signature, sid: numbered.sid, revision: update.revision, action: action,
            message: message ?? RuleMessage.standard(for: update.signature), created: update.createdMilliseconds,
            lifetime: update.lifetimeDays, origin: update.origin, rarity: rarity)
    }

    /// Renders a signature.
    ///
    /// An upper bound of a gap that is beyond what Suricata can express (64 KiB from the start of the payload, 1 MiB
    /// between tokens) is left out: no payload is as long. A masked token becomes several contents at exact distances.
    ///
    /// - Parameters:
    ///   - message: any text; it is made printable and escaped.
    ///   - created: in milliseconds since 1970-01-01T00:00:00Z.
    ///   - lifetime: in days from then.
    ///   - rarity: what decides which run is the fast pattern.
    /// - Throws: ``EpitopeError/Code/signatureUnrenderable``, ``EpitopeError/Code/sidOutOfRange`` or
    ///   ``EpitopeError/Code/ruleTooLong``.
    public init(
        signature: Signature, sid: UInt32, revision: Int, action: Action, message: String, created: Int64,
        lifetime: Int, origin: SignatureUpdate.Origin, rarity: PatternSpecificity = .distinctBytes
    ) throws(EpitopeError) {
        guard SIDRange.all.contains(sid), (1...Int(Int32.max)).contains(revision) else {
            throw EpitopeError(
                .sidOutOfRange, "sid \(sid) revision \(revision) can't be a rule's number",
                remedy: "use a sid from \(SIDRange.all.lowerBound) to \(SIDRange.all.upperBound) and count revisions from 1")
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
        let runs = try RenderedRun.runs(of: signature)
        dsizeAbove = Self.dsize(ruleProtocol, runs)
        contents = try Self.contents(of: runs, signature, rarity)
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
        // A gap's bounds speak of a run's first byte, depth and within of all of its bytes.
        func room(_ gap: ClosedRange<Int>, _ largest: Int) throws(EpitopeError) -> Int? {
            guard gap.lowerBound <= largest else {
                throw RenderedRun.unrenderable(signature, "a token lies \(gap.lowerBound) bytes away, possible is 0 to \(largest)")
            }
            let reach = gap.upperBound - gap.lowerBound + run.bytes.count
            return reach > largest ? nil : reach
        }
        switch run.place {
        case .anywhere: return .anywhere
        case .fromStart(let gap): return .absolute(offset: gap.lowerBound, depth: try room(gap, largestOffset))
        case .after(nil): return .relative(distance: 0, within: nil)
        case .after(let gap?): return .relative(distance: gap.lowerBound, within: try room(gap, largestDistance))
        }
    }

    /// A datagram with less than all tokens take can't match, and Suricata can tell by its size alone. Of TCP nothing
    /// is known of sizes: a token may lie in several segments.
    private static func dsize(_ ruleProtocol: RuleProtocol, _ runs: [RenderedRun]) -> Int? {
        let shortest = RenderedRun.shortestData(runs)
        return ruleProtocol == .udp && shortest <= largestOffset ? shortest - 1 : nil
    }
}
