// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Rendering

/// The interface to an intrusion detection system.
public protocol RuleInstalling: Sendable {
    /// Makes exactly these rules the ones in force, and returns when the IDS has confirmed that. A rule that the IDS
    /// refuses is left out (its last good revision stays), and the others go live.
    ///
    /// Installing the same rules again must be harmless: after a restart a center does so when it doesn't know how
    /// the last attempt ended.
    ///
    /// - Parameter rules: sorted by sid.
    /// - Throws: when the IDS is stopped, busy or out of reach. The rules that were in force stay so, and the
    ///   installation is tried again.
    func install(_ rules: [RuleAssignment]) async throws(EpitopeError) -> InstallationResult

    /// What is no longer as the last installation left it, for a person: others can change an IDS's rules, too. `nil`: nothing, or
    /// that can't be seen now.
    ///
    /// - Parameter rules: what should be in force.
    func difference(from rules: [RuleAssignment]) async -> String?

    /// The rules of this center that the IDS has or is to load, whoever put them there; empty where that can't be seen now.
    func rulesPresent() async -> [PresentRule]

    /// Why the IDS is out of reach now; `nil`: it isn't, or is only busy. Asked beside installations, which may take long.
    func absence() async -> EpitopeError?

    /// How long an installation may take.
    var maxInstallTime: Duration { get }

    /// Whether rules drop that may. Otherwise none has to be installed again when it is allowed to.
    var isDropping: Bool { get }
}

extension RuleInstalling {
    public var isDropping: Bool { false }

    public func rulesPresent() async -> [PresentRule] { [] }

    public func absence() async -> EpitopeError? { nil }

    public var maxInstallTime: Duration { .seconds(120) }
}

/// A rule that stands in the IDS.
public struct PresentRule: Hashable, Sendable {
    public var signatureID: String
    public var sid: UInt32
    public var text: String

    public init(signatureID: String, sid: UInt32, text: String) {
        self.signatureID = signatureID
        self.sid = sid
        self.text = text
    }
}

/// What an IDS confirmed.
public struct InstallationResult: Hashable, Sendable {
    /// The rules that it read and refused, by sid: trying them again would give the same answer.
    public var refused: [UInt32: EpitopeError]
    /// What was confirmed and how long it took, for a person.
    public var detail: String

    public init(refused: [UInt32: EpitopeError] = [:], detail: String) {
        self.refused = refused
        self.detail = detail
    }
}
