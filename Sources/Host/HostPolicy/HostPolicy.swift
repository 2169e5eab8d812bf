// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel
import Foundation

/// What is done about critical calls on this host, and what is excluded: the policy file, overridden by the command line.
public struct HostPolicy: Hashable, Sendable {
    /// Read if no file is named. It need not exist.
    public static let defaultPath = "/etc/epitope/policy.json"

    /// What the command line sets, instead of the file.
    public struct Overrides: Hashable, Sendable {
        public var action: Policy.Action?
        public var uninspectable: Policy.Uninspectable?
        public var otherProcesses: Policy.OtherProcesses?

        public init(
            action: Policy.Action? = nil, uninspectable: Policy.Uninspectable? = nil, otherProcesses: Policy.OtherProcesses? = nil
        ) {
            self.action = action
            self.uninspectable = uninspectable
            self.otherProcesses = otherProcesses
        }
    }

    public var policy: Policy
    /// The file's exclusions, then the built-in ones.
    public var exclusions: [Exclusion]
    /// The file that was read; `nil` if there was none.
    public var path: String?

    /// Reads the named file, or else the default one if it exists.
    ///
    /// - Throws: `policy-missing`, `policy-not-trusted`, `policy-invalid`.
    public init(path: String?, overrides: Overrides = Overrides()) throws(EpitopeError) {
        let file = PolicyFile(path: path)
        let isRead = path != nil || file.exists
        self.init(isRead ? try file.read().document : nil, of: isRead ? file.path : nil, overrides)
    }

    /// The policy of a document, or the default one.
    init(_ document: PolicyDocument?, of path: String?, _ overrides: Overrides) {
        self.path = path
        let usual = Policy.default
        var applications = document?.applications ?? [:]
        // What the command line says holds for all: who only watches is not to deny by a part of the file.
        if overrides.action != nil {
            for application in applications.keys { applications[application]?.action = nil }
        }
        policy = Policy(
            action: overrides.action ?? document?.action ?? usual.action, blockAt: document?.blockAt ?? usual.blockAt,
            reportAt: document?.reportAt ?? usual.reportAt,
            uninspectable: overrides.uninspectable ?? document?.uninspectable ?? usual.uninspectable,
            otherProcesses: overrides.otherProcesses ?? document?.otherProcesses ?? usual.otherProcesses,
            applications: applications)
        exclusions = (document?.exclusions ?? []) + (document?.builtInExclusions ?? true ? BuiltInExclusions.all : [])
    }

    /// In a line, for a person.
    public var summary: String {
        let own = exclusions.filter { !BuiltInExclusions.all.contains($0) }.count
        let shipped = exclusions.count - own
        return "\(path ?? "no policy file"): \(policy.action.rawValue) at \(policy.blockAt) points, report at \(policy.reportAt), "
            + "\(own) exclusions and \(shipped) built-in ones" + (policy.applicationsInWords.map { "; \($0)" } ?? "")
    }
}
