// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures

extension SignatureUpdate {
    /// The version of the update's schema that this program writes.
    public static let currentVersion: UInt32 = 1

    /// Reads an update.
    ///
    /// - Throws: `packet-too-large`, `packet-version-unknown`, `packet-malformed`.
    public init(encoded: [UInt8]) throws(EpitopeError) {
        try self.init(
            try Wire.decode(Epitope_V1_SignatureUpdate.self, encoded, name: "signature update", max: Bounds.updateEncoding))
    }

    /// The update for the wire; the details of its proof are clipped to 512 bytes each.
    public func encoded() -> [UInt8] {
        Wire.encode(wire)
    }

    init(_ wire: Epitope_V1_SignatureUpdate) throws(EpitopeError) {
        guard (1...Self.currentVersion).contains(wire.version) else {
            throw .unknownVersion("signature update", wire.version, latest: Self.currentVersion)
        }
        guard wire.revision >= 1 else { throw .malformed("revision", "is 0; revisions count from 1") }
        guard (1...UInt32(Bounds.lifetimeDays)).contains(wire.lifetimeDays) else {
            throw .malformed("lifetime_days", "is \(wire.lifetimeDays), 1 to \(Bounds.lifetimeDays) are allowed")
        }
        if wire.hasGlobalSequence, wire.globalSequence < 1 { throw .malformed("global_sequence", "is not positive") }
        self.init(
            signature: try Signature(wire.signature), revision: Int(wire.revision),
            origin: wire.hasGlobalSequence ? .global(sequence: wire.globalSequence) : .site,
            createdMilliseconds: try Wire.milliseconds(wire.createdMilliseconds, "created_milliseconds"),
            lifetimeDays: Int(wire.lifetimeDays), proof: try Proof(wire.proof))
    }

    var wire: Epitope_V1_SignatureUpdate {
        var wire = Epitope_V1_SignatureUpdate()
        wire.version = Self.currentVersion
        wire.signature = signature.wire
        wire.revision = UInt32(clamping: revision)
        if case .global(let sequence) = origin { wire.globalSequence = sequence }
        wire.createdMilliseconds = createdMilliseconds
        wire.lifetimeDays = UInt32(clamping: lifetimeDays)
        wire.proof = proof.wire
        return wire
    }
}

extension Proof {
    init(_ wire: Epitope_V1_Proof) throws(EpitopeError) {
        try Wire.count(wire.checks.count, "proof.checks", max: Bounds.checks)
        var checks: [Check] = []
        for check in wire.checks {
            checks.append(
                Check(
                    Check.Name(rawValue: try Wire.text(check.name, "proof.checks.name", max: Bounds.name)),
                    try Wire.known(Check.Outcome(check.outcome), "proof.checks.outcome"),
                    try Wire.text(check.detail, "proof.checks.detail", max: Bounds.detail)))
        }
        self.init(checks: checks)
    }

    var wire: Epitope_V1_Proof {
        var wire = Epitope_V1_Proof()
        wire.checks = checks.map { check in
            var wire = Epitope_V1_Proof.Check()
            wire.name = check.name.rawValue.clipped(to: Bounds.name)
            wire.outcome = check.outcome.wire
            wire.detail = check.detail.clipped(to: Bounds.detail)
            return wire
        }
        return wire
    }
}

/// Updates and withdrawals in the order of the sequence that the center which publishes them gave them.
public struct SequencedUpdates: Hashable, Sendable {
    /// The most entries that one list may hold.
    public static let maxUpdates = Bounds.updates

    /// Its entries ascend by sequence, at most ``maxUpdates``.
    public var page: FeedPage

    public init(_ page: FeedPage) {
        self.page = page
    }

    /// Reads a list of at most 16 MiB. An entry that can't be read is marked so, and keeps none behind it from the subscriber.
    ///
    /// - Throws: `packet-too-large`, `packet-version-unknown`, `packet-malformed`.
    public init(encoded: [UInt8]) throws(EpitopeError) {
        let wire = try Wire.decode(
            Epitope_V1_SequencedUpdates.self, encoded, name: "list of updates", max: Bounds.updatesEncoding)
        try Wire.count(wire.updates.count, "updates", max: Bounds.updates)
        var last: Int64 = 0
        var entries: [FeedEntry] = []
        for element in wire.updates {
            guard element.sequence > last else { throw .malformed("updates.sequence", "is not ascending from 1") }
            last = element.sequence
            entries.append(FeedEntry(reading: element))
        }
        page = FeedPage(entries: entries, isFromStart: wire.fromStart)
    }

    /// As it goes over the wire.
    public func encoded() -> [UInt8] {
        var wire = Epitope_V1_SequencedUpdates()
        wire.updates = page.entries.map(\.wire)
        wire.fromStart = page.isFromStart
        return Wire.encode(wire)
    }
}

extension FeedEntry {
    fileprivate init(reading wire: Epitope_V1_FeedEntry) {
        do throws(EpitopeError) {
            try self.init(wire)
        } catch {
            self.init(position: FeedPosition(sequence: wire.sequence, mark: wire.mark), change: .unreadable(error.message))
        }
    }

    private init(_ wire: Epitope_V1_FeedEntry) throws(EpitopeError) {
        try Wire.count(wire.revises.count, "updates.revises", max: FeedEntry.maxRevised)
        guard zip(wire.revises, wire.revises.dropFirst()).allSatisfy(<), wire.revises.allSatisfy({ (1..<wire.sequence).contains($0) })
        else { throw .malformed("updates.revises", "is not ascending from 1 and below the update's own number") }
        guard !wire.hasUpdate || !wire.hasWithdrawal else { throw .malformed("updates", "is an update and a withdrawal at once") }
        self.init(
            position: FeedPosition(sequence: wire.sequence, mark: wire.mark),
            change: wire.hasWithdrawal ? .withdrawal(try Withdrawal(wire.withdrawal)) : .update(try SignatureUpdate(wire.update)),
            revises: wire.revises, ruleNumber: wire.ruleNumber == 0 ? nil : wire.ruleNumber)
    }

    fileprivate var wire: Epitope_V1_FeedEntry {
        var wire = Epitope_V1_FeedEntry()
        wire.sequence = sequence
        wire.mark = position.mark
        switch change {
        case .update(let update): wire.update = update.wire
        case .withdrawal(let withdrawal): wire.withdrawal = withdrawal.wire
        case .unreadable: break
        }
        wire.revises = Array(revises.prefix(FeedEntry.maxRevised))
        wire.ruleNumber = ruleNumber ?? 0
        return wire
    }
}

extension FeedEntry.Withdrawal {
    fileprivate init(_ wire: Epitope_V1_Withdrawal) throws(EpitopeError) {
        let id = wire.signatureID
        guard id.utf8.count == 32, id.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else {
            throw .malformed("updates.withdrawal.signature_id", "is not 32 hexadecimal digits in lower case")
        }
        self.init(signatureID: id, reason: try Wire.text(wire.reason, "updates.withdrawal.reason", max: Bounds.detail))
    }

    fileprivate var wire: Epitope_V1_Withdrawal {
        var wire = Epitope_V1_Withdrawal()
        wire.signatureID = signatureID
        wire.reason = reason.clipped(to: Bounds.detail)
        return wire
    }
}
