// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures

/// Everything that a rule is rendered from: a signature, and what identifies the rule.
public struct RuleInput: Hashable, Sendable {
    public var signature: Signature
    /// In ``sids``.
    public var sid: UInt32
    /// The numbers that the rule may have: a center's, unless it is made without one.
    public var sids: ClosedRange<UInt32>
    /// Which of the rules of one signature it is: a signature has one for each part of its context. Counts from 1, and is the rule's
    /// generator id (`gid`), by which an engine tells it from others of the same sid.
    public private(set) var generator = 1
    /// Counts from 1.
    public var revision: Int
    /// Any text; every language makes it printable and escapes it.
    public var message: String
    /// In milliseconds since 1970-01-01T00:00:00Z.
    public var createdMilliseconds: Int64
    /// In days from its creation.
    public var lifetimeDays: Int
    public var origin: SignatureUpdate.Origin
    /// The hosts towards which a rule of an IDS (Suricata, Snort) looks; empty: all. YARA's and ClamAV's rules are about data, and a STIX
    /// indicator is for others, who have hosts of their own: they are without.
    public var addresses: [IPAddress] = []

    /// - Parameter message: `nil` for ``RuleMessage/standard(for:)``.
    public init(
        signature: Signature, sid: UInt32, sids: ClosedRange<UInt32> = SIDRange.all, revision: Int = 1, message: String? = nil,
        createdMilliseconds: Int64, lifetimeDays: Int = SignatureUpdate.defaultLifetimeDays, origin: SignatureUpdate.Origin = .site
    ) {
        self.signature = signature
        self.sid = sid
        self.sids = sids
        self.revision = revision
        self.message = message ?? RuleMessage.standard(for: signature)
        self.createdMilliseconds = createdMilliseconds
        self.lifetimeDays = lifetimeDays
        self.origin = origin
    }

    /// The rule of an update in force.
    public init(_ assignment: RuleAssignment, message: String? = nil) {
        let update = assignment.update
        self.init(
            signature: update.signature, sid: assignment.sid, revision: update.revision, message: message,
            createdMilliseconds: update.createdMilliseconds, lifetimeDays: update.lifetimeDays, origin: update.origin)
        addresses = update.support?.narrowedTo ?? []
    }

    /// One input for each part of the signature's context, with the same sid and generators of their own.
    public var parts: [RuleInput] {
        signature.context.parts.enumerated().map { index, part in
            var input = self
            input.signature.context = part
            input.generator = index + 1
            return input
        }
    }

    /// A hundred years.
    public static let maxLifetimeDays = 36_500

    /// When the rule expires, in milliseconds since 1970-01-01T00:00:00Z.
    var expiresMilliseconds: Int64 {
        createdMilliseconds.addingReportingOverflow(Duration.days(min(max(lifetimeDays, 0), Self.maxLifetimeDays)).inMilliseconds)
            .partialValue
    }

    /// As rules name it: `site`, or `global-N`.
    var originName: String {
        switch origin {
        case .site: "site"
        case .global(let sequence): "global-\(max(0, sequence))"
        }
    }
}
