// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What the policy says of one application of behaviour blocking, where that differs from what it says of all.
public struct ApplicationPolicy: Hashable, Sendable, Codable {
    /// Off: its calls are neither judged nor reported, whoever makes them.
    public var isOn: Bool
    /// What is done about its calls; `nil`: what is done about all.
    public var action: Policy.Action?
    /// The points of evidence in its calls, 0 to 100, where they are not the usual ones. A center goes by its own.
    public var weights: [EvidenceKind: Int]

    public init(isOn: Bool = true, action: Policy.Action? = nil, weights: [EvidenceKind: Int] = [:]) {
        self.isOn = isOn
        self.action = action
        self.weights = weights
    }
}

extension Policy {
    /// Whether calls of an application are judged; those of none always are.
    public func isOn(_ application: BlockingApplication?) -> Bool { application.flatMap { applications[$0] }?.isOn ?? true }

    /// The applications whose calls are judged, in their order.
    public var applicationsOn: [BlockingApplication] { BlockingApplication.allCases.filter { isOn($0) } }

    /// What is done about a call of an application whose evidence is strong enough.
    public func action(for application: BlockingApplication?) -> Action { application.flatMap { applications[$0] }?.action ?? action }

    /// The points of a kind of evidence in a call of an application.
    public func weight(of kind: EvidenceKind, for application: BlockingApplication?) -> Int {
        application.flatMap { applications[$0] }?.weights[kind] ?? kind.defaultWeight
    }

    /// Whether nothing is ever done about a call but to report it.
    public var onlyWatches: Bool { applicationsOn.allSatisfy { action(for: $0) == .watch } && action == .watch }

    /// The same with other actions.
    public func mappingActions(_ change: (Action) -> Action) -> Policy {
        var policy = self
        policy.action = change(action)
        for (application, own) in applications {
            policy.applications[application]?.action = own.action.map(change)
        }
        return policy
    }

    /// What differs from one application to another, such as `connect: watch; listen: off`; `nil` where nothing does.
    public var applicationsInWords: String? {
        let words = BlockingApplication.allCases.compactMap { application -> String? in
            guard let own = applications[application] else { return nil }
            guard own.isOn else { return "\(application.rawValue): off" }
            let weights = own.weights.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue) \($0.value) points" }
            let parts = (own.action.map { [$0.rawValue] } ?? []) + weights
            return parts.isEmpty ? nil : "\(application.rawValue): \(parts.joined(separator: ", "))"
        }
        return words.isEmpty ? nil : words.joined(separator: "; ")
    }
}
