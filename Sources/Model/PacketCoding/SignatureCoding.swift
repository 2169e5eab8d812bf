// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials
public import Signatures

extension Signature {
    /// Reads a signature.
    ///
    /// - Throws: `packet-too-large`, `packet-malformed`.
    public init(encoded: [UInt8]) throws(EpitopeError) {
        try self.init(
            try Wire.decode(Epitope_V1_Signature.self, encoded, name: "signature", max: Bounds.updateEncoding))
    }

    /// As it goes over the wire.
    public func encoded() -> [UInt8] {
        Wire.encode(wire)
    }

    init(_ wire: Epitope_V1_Signature) throws(EpitopeError) {
        guard (1...Bounds.tokens).contains(wire.tokens.count) else {
            throw .malformed("signature.tokens", "has \(wire.tokens.count) elements, 1 to \(Bounds.tokens) are allowed")
        }
        var tokens: [Token] = []
        var total = 0
        for token in wire.tokens {
            guard !token.bytes.isEmpty else { throw .malformed("signature.tokens.bytes", "is empty") }
            total += token.bytes.count
            guard total <= Bounds.tokenBytes else {
                throw .malformed("signature.tokens", "have more than \(Bounds.tokenBytes) bytes together")
            }
            tokens.append(
                Token(
                    bytes: [UInt8](token.bytes), masked: try Self.masked(token),
                    gap: token.hasGap ? try Self.gap(token.gap) : nil))
        }
        self.init(
            tokens: tokens, arrangement: try Wire.known(Arrangement(wire.arrangement), "signature.arrangement"),
            context: try SignatureContext(wire.context),
            provenance: wire.hasProvenance ? try Provenance(wire.provenance) : nil)
    }

    private static func masked(_ wire: Epitope_V1_Token) throws(EpitopeError) -> [Int] {
        var last = -1
        for position in wire.masked {
            guard position < wire.bytes.count else { throw .malformed("signature.tokens.masked", "lies beyond the token's bytes") }
            guard Int(position) > last else { throw .malformed("signature.tokens.masked", "is not ascending") }
            last = Int(position)
        }
        guard wire.masked.count < wire.bytes.count else { throw .malformed("signature.tokens.masked", "leaves no fixed byte") }
        return wire.masked.map(Int.init)
    }

    private static func gap(_ wire: Epitope_V1_Gap) throws(EpitopeError) -> ClosedRange<Int> {
        guard wire.least <= wire.most else { throw .malformed("signature.tokens.gap", "has a lower bound above its upper") }
        return Int(wire.least)...Int(wire.most)
    }

    var wire: Epitope_V1_Signature {
        var wire = Epitope_V1_Signature()
        wire.tokens = tokens.map { token in
            var wire = Epitope_V1_Token()
            wire.bytes = Data(token.bytes)
            wire.masked = token.masked.map { UInt32(clamping: $0) }
            if let gap = token.gap {
                // Gaps are counted in bytes of one packet or stream: a bound beyond 32 bits bounds nothing.
                wire.gap.least = UInt32(clamping: gap.lowerBound)
                wire.gap.most = UInt32(clamping: gap.upperBound)
            }
            return wire
        }
        wire.context = context.wire
        wire.arrangement = arrangement.wire
        if let provenance { wire.provenance = provenance.wire }
        return wire
    }
}

extension Provenance {
    init(_ wire: Epitope_V1_Provenance) throws(EpitopeError) {
        try Wire.count(wire.reasons.count, "signature.provenance.reasons", max: Bounds.reasons)
        var reasons: [String] = []
        for reason in wire.reasons { reasons.append(try Wire.text(reason, "signature.provenance.reasons", max: Bounds.detail)) }
        self.init(
            strategy: try Wire.known(Strategy(wire.strategy), "signature.provenance.strategy"), samples: Int(wire.samples),
            reasons: reasons)
    }

    var wire: Epitope_V1_Provenance {
        var wire = Epitope_V1_Provenance()
        wire.strategy = strategy.wire
        wire.samples = UInt32(clamping: samples)
        wire.reasons = reasons.prefix(Bounds.reasons).map { $0.clipped(to: Bounds.detail) }
        return wire
    }
}

extension SignatureContext {
    init(_ wire: Epitope_V1_SignatureContext) throws(EpitopeError) {
        guard !wire.further.isEmpty else {
            self = try Self.part(wire)
            return
        }
        try Wire.count(wire.further.count, "signature.context.further", max: Bounds.contextParts - 1)
        var parts = [try Self.part(wire)]
        for part in wire.further {
            guard part.further.isEmpty else { throw .malformed("signature.context.further", "is nested") }
            parts.append(try Self.part(part))
        }
        guard parts.allSatisfy({ $0.transport != nil && $0.transport != .other }) else {
            throw .malformed("signature.context.further", "is beside traffic of any protocol")
        }
        self.init(uniting: parts)
        guard self.parts == parts else { throw .malformed("signature.context.further", "is not in order, or repeats itself") }
    }

    private static func part(_ wire: Epitope_V1_SignatureContext) throws(EpitopeError) -> SignatureContext {
        try Wire.count(wire.ports.count, "signature.context.ports", max: Bounds.ports)
        var ports: [UInt16] = []
        for value in wire.ports {
            let port = try Wire.port(value, "signature.context.ports")
            if let last = ports.last, port <= last {
                throw .malformed("signature.context.ports", "are not ascending")
            }
            ports.append(port)
        }
        return SignatureContext(
            transport: try TransportProtocol.optional(wire.transport, "signature.context.transport"), ports: ports,
            direction: try Wire.known(Direction(wire.direction), "signature.context.direction"),
            buffer: try ProtocolBuffer.optional(wire.buffer, "signature.context.buffer"))
    }

    var wire: Epitope_V1_SignatureContext {
        let parts = parts.map(\.partWire)
        var wire = parts[0]
        wire.further = Array(parts.dropFirst())
        return wire
    }

    /// Without further traffic.
    private var partWire: Epitope_V1_SignatureContext {
        var wire = Epitope_V1_SignatureContext()
        if let transport { wire.transport = transport.wire }
        wire.ports = ports.map(UInt32.init)
        wire.direction = direction.wire
        if let buffer { wire.buffer = buffer.wire }
        return wire
    }
}

extension ForwardedPacket {
    /// Reads a forward.
    ///
    /// - Throws: as for a packet.
    public init(encoded: [UInt8]) throws(EpitopeError) {
        let wire = try Wire.decode(
            Epitope_V1_ForwardedPacket.self, encoded, name: "forwarded packet", max: Bounds.forwardEncoding)
        guard wire.hasPacket else { throw .malformed("packet", "is absent") }
        self.init(
            packet: try ExtractedPacket(wire.packet), reporter: try Wire.identityName(wire.reporter, "reporter"),
            signature: try Signature(wire.signature),
            conclusion: wire.hasConclusion ? try SiteConclusion(wire.conclusion) : nil)
    }

    /// As it goes over the wire.
    public func encoded() -> [UInt8] {
        var wire = Epitope_V1_ForwardedPacket()
        wire.packet = packet.withinBounds.wire
        wire.reporter = reporter
        wire.signature = signature.wire
        if let conclusion { wire.conclusion = conclusion.wire }
        return Wire.encode(wire)
    }
}

extension SiteConclusion {
    init(_ wire: Epitope_V1_SiteConclusion) throws(EpitopeError) {
        guard wire.points > 0 else { throw .malformed("conclusion.points", "are absent") }
        guard wire.hosts > 0 else { throw .malformed("conclusion.hosts", "are absent") }
        self.init(
            points: Int(wire.points), hosts: Int(wire.hosts), grade: try Wire.known(EvidenceGrade(wire.grade), "conclusion.grade"))
    }

    /// What is beyond the bounds of the wire is clipped to them.
    var wire: Epitope_V1_SiteConclusion {
        var wire = Epitope_V1_SiteConclusion()
        wire.points = UInt32(clamping: max(1, points))
        wire.hosts = UInt32(clamping: max(1, hosts))
        wire.grade = grade.wire
        return wire
    }
}
