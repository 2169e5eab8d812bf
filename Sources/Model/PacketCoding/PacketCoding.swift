// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials
import Signatures

extension ExtractedPacket {
    /// Reads a packet as it came over the wire.
    ///
    /// - Throws: `packet-too-large` beyond ``EpitopeModel/ExtractedPacket/maxEncodedBytes``, before anything is
    ///   decoded; `packet-version-unknown`; `caller-outside-code`; `packet-malformed` for anything else, with the
    ///   field named.
    public init(encoded: [UInt8]) throws(EpitopeError) {
        let wire = try Wire.decode(
            Epitope_V1_ExtractedPacket.self, encoded, name: "packet", max: ExtractedPacket.maxEncodedBytes)
        try self.init(wire)
    }

    /// The packet for the wire, in the current version of the schema.
    ///
    /// Texts and lists beyond the bounds of the schema are clipped, so that no packet is refused for their length. Code is not
    /// clipped: extraction keeps to ``EpitopeModel/ExtractedPacket/maxCodeBytes``.
    public func encoded() -> [UInt8] {
        Wire.encode(withinBounds.wire)
    }

    init(_ wire: Epitope_V1_ExtractedPacket) throws(EpitopeError) {
        guard (1...Self.currentVersion).contains(wire.version) else {
            throw .unknownVersion("packet", wire.version, latest: Self.currentVersion)
        }
        let id = try Wire.hex(wire.id, "id", digits: 32)
        let architecture = try Wire.known(Architecture(wire.architecture), "architecture")
        try Wire.count(wire.evidence.count, "evidence", max: Bounds.evidence)
        var evidence: [Evidence] = []
        for item in wire.evidence {
            evidence.append(
                Evidence(
                    kind: try Wire.known(EvidenceKind(item.kind), "evidence.kind"),
                    detail: try Wire.text(item.detail, "evidence.detail", max: Bounds.detail)))
        }
        try Wire.count(wire.furtherEvidence.count, "further_evidence", max: Bounds.evidence)
        for item in wire.furtherEvidence where evidence.count < Bounds.evidence {
            let detail = try Wire.text(item.detail, "further_evidence.detail", max: Bounds.detail)
            if let kind = EvidenceKind(item.kind) { evidence.append(Evidence(kind: kind, detail: detail)) }
        }
        guard wire.hasParameters else { throw .malformed("parameters", "are absent") }
        self.init(
            id: id, architecture: architecture, callersAddress: wire.callersAddress,
            content: try Content(wire),
            evidence: evidence,
            action: try Wire.known(ProtectiveAction(wire.action), "action"),
            applications: try Self.applications(wire.applications),
            parameters: try Parameters(wire.parameters))
        if wire.hasExtraction { extraction = try ExtractionRequest(wire.extraction, of: content) }
        guard wire.hasSignatureAddress else { return }
        guard case .signature(let window) = content else {
            // Centers have no use for it: where it is outside of the code, nobody has.
            if case .code(let code) = content, code.offset(of: wire.signatureAddress) != nil { signatureAddress = wire.signatureAddress }
            return
        }
        guard !wire.signatureAddress.addingReportingOverflow(UInt64(window.count)).overflow else {
            throw .malformed("signature_address", "lets the signature go beyond the end of the address space")
        }
        signatureAddress = wire.signatureAddress
    }

    var wire: Epitope_V1_ExtractedPacket {
        var wire = Epitope_V1_ExtractedPacket()
        wire.version = Self.currentVersion
        wire.id = id
        wire.architecture = architecture.wire
        wire.callersAddress = callersAddress
        switch content {
        case .code(let code):
            wire.code.base = code.base
            wire.code.bytes = Data(code.bytes)
            wire.code.isWholeRegion = code.isWholeRegion
            if let extraction { wire.extraction = extraction.wire }
        case .signature(let window):
            wire.signature = Data(window)
        }
        if let signatureAddress { wire.signatureAddress = signatureAddress }
        func wireForm(_ item: Evidence) -> Epitope_V1_Evidence {
            var wire = Epitope_V1_Evidence()
            wire.kind = item.kind.wire
            wire.detail = item.detail
            return wire
        }
        wire.evidence = evidence.filter { !$0.kind.isFurther }.map(wireForm)
        wire.furtherEvidence = evidence.filter(\.kind.isFurther).map(wireForm)
        wire.action = action.wire
        wire.applications = applications.map(\.wire)
        wire.parameters = parameters.wire
        return wire
    }
}

extension ExtractedPacket {
    /// Each once, in their order. One of a later version is passed over.
    fileprivate static func applications(_ wire: [Epitope_V1_Application]) throws(EpitopeError) -> [BlockingApplication] {
        try Wire.count(wire.count, "applications", max: Bounds.applications)
        let known = Set(wire.compactMap(BlockingApplication.init))
        return BlockingApplication.allCases.filter(known.contains)
    }
}

extension ExtractedPacket.Content {
    fileprivate init(_ wire: Epitope_V1_ExtractedPacket) throws(EpitopeError) {
        switch wire.content {
        case .code(let code):
            let bytes = [UInt8](code.bytes)
            guard (1...ExtractedPacket.maxCodeBytes).contains(bytes.count) else {
                throw .malformed("code", "has \(bytes.count) bytes, 1 to \(ExtractedPacket.maxCodeBytes) are allowed")
            }
            guard !code.base.addingReportingOverflow(UInt64(bytes.count)).overflow else {
                throw .malformed("code", "goes beyond the end of the address space")
            }
            let extracted = ExtractedCode(base: code.base, bytes: bytes, isWholeRegion: code.isWholeRegion)
            // A center cuts the caller window out of the code, so code that it can't be cut out of is refused here.
            try CallerWindow.callerOffset(in: extracted, callersAddress: wire.callersAddress)
            self = .code(extracted)
        case .signature(let window):
            // Code that is shorter than a window is the window.
            guard (1...CallerWindow.lengths.upperBound).contains(window.count) else {
                throw .malformed("signature", "has \(window.count) bytes, 1 to \(CallerWindow.lengths.upperBound) are allowed")
            }
            self = .signature([UInt8](window))
        case nil:
            throw .malformed("content", "is absent: neither code nor signature")
        }
    }
}
