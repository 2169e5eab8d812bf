// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials

extension SeccompProfile {
    /// Merges this profile into another one, such as an engine's default: the critical calls that the other profile allows are
    /// notified, and everything else stays as it is. Calls that it doesn't allow aren't notified, since the agent lets benign
    /// calls continue and would thus allow them.
    ///
    /// Where it allows `socketcall` as a whole, that is notified as a whole, before everything else: libseccomp makes rules
    /// for the calls that 32-bit programs make through it out of the rules for their names, leaves out those that come after a
    /// rule for all of it, and refuses two with different actions (engines' profiles have such rules for `socket`). The
    /// supervisor lets the calls that aren't critical continue.
    ///
    /// Where everything is allowed that isn't named, ``refusals`` are added. A profile that names what is allowed doesn't let a
    /// process make a user namespace, without which it can't replace its program.
    ///
    /// - Parameter base: JSON, as docker, podman and Kubernetes take it.
    /// - Throws: `seccomp-profile-unusable` if it isn't a profile, if it has another agent already, or if it allows a critical
    ///   call only under a condition, which a notification can't express.
    public func merged(into base: [UInt8]) throws(EpitopeError) -> String {
        var profile = try Self.parse(base)
        guard profile["listenerPath"] == nil else { throw Self.unusable("it names an agent already, in listenerPath") }
        profile["syscalls"] = .list(try mergedRules(of: profile))
        profile["listenerPath"] = .text(listenerPath)
        profile["listenerMetadata"] = .text(listenerMetadata)
        if let flags {
            let present = profile["flags"]?.strings ?? []
            profile["flags"] = .list((present + flags.map(\.rawValue).filter { !present.contains($0) }).map(JSONValue.text))
        }
        return JSONValue.object(profile).text
    }

    private static func parse(_ base: [UInt8]) throws(EpitopeError) -> [String: JSONValue] {
        let decoded: JSONValue
        do {
            decoded = try JSONDecoder().decode(JSONValue.self, from: Data(base))
        } catch {
            throw unusable("it isn't JSON")
        }
        guard case .object(let profile) = decoded, profile["defaultAction"]?.string != nil else {
            throw unusable("it has no defaultAction")
        }
        return profile
    }

    /// The rules of a profile without what they say of the critical calls that are notified now, behind a rule for those.
    private func mergedRules(of profile: [String: JSONValue]) throws(EpitopeError) -> [JSONValue] {
        var given: [JSONValue] = []
        if case .list(let list)? = profile["syscalls"] { given = list }
        var allowed = profile["defaultAction"]?.string == Action.allow ? Set(Self.criticalCalls) : []
        var refused: Set<String> = []
        var rules: [JSONValue] = []
        for value in given {
            let rule = try ProfileRule(value)
            switch rule.effect {
            case .allows: allowed.formUnion(rule.critical)
            case .refuses: refused.formUnion(rule.critical)
            }
            if let rest = rule.withoutAllowedCritical { rules.append(rest) }
        }
        if profile["defaultAction"]?.string == Action.allow {
            rules += try Self.refusals.map { rule throws(EpitopeError) in try JSONValue(encoding: rule) }
        }
        let notified = allowed.subtracting(refused)
        guard !notified.isEmpty else { return rules }
        return [.object(["names": .list(notified.sorted().map(JSONValue.text)), "action": .text(Action.notify)])] + rules
    }

    fileprivate static func unusable(_ reason: String) -> EpitopeError {
        EpitopeError(
            .profileUnusable, "the critical calls can't be merged into the profile: \(reason)",
            remedy: "use a profile in the form that docker's or Kubernetes' documentation describes, or merge the two by hand")
    }
}

/// A rule of the profile that is merged into.
private struct ProfileRule {
    enum Effect {
        case allows
        /// Any other action.
        case refuses
    }

    let effect: Effect
    /// The critical calls, and `socketcall`, that the rule is for.
    let critical: Set<String>
    private let fields: [String: JSONValue]
    private let names: [String]

    private static let notifiable = Set(SeccompProfile.criticalCalls + [SeccompProfile.socketcall])

    /// - Throws: `seccomp-profile-unusable`.
    init(_ value: JSONValue) throws(EpitopeError) {
        guard case .object(let fields) = value, let action = fields["action"]?.string else {
            throw SeccompProfile.unusable("a rule has no action")
        }
        self.fields = fields
        names = fields["names"]?.strings ?? fields["name"]?.string.map { [$0] } ?? []
        critical = Self.notifiable.intersection(names)
        switch action {
        case SeccompProfile.Action.notify: throw SeccompProfile.unusable("it has calls notified already")
        case SeccompProfile.Action.allow: effect = .allows
        default: effect = .refuses
        }
        guard effect == .refuses || critical.isEmpty || Self.isUnconditional(fields) else {
            throw SeccompProfile.unusable("it allows \(critical.sorted().joined(separator: ", ")) under a condition")
        }
    }

    /// The rule for the calls that aren't notified now; `nil` if it has none.
    var withoutAllowedCritical: JSONValue? {
        guard effect == .allows else { return .object(fields) }
        let others = names.filter { !critical.contains($0) }
        guard !others.isEmpty else { return nil }
        var fields = fields
        fields["name"] = nil
        fields["names"] = .list(others.map(JSONValue.text))
        return .object(fields)
    }

    /// Whether the rule has no arguments to compare and no capabilities or kernels to require: they are absent or empty.
    private static func isUnconditional(_ fields: [String: JSONValue]) -> Bool {
        ["args", "includes", "excludes"].allSatisfy { key in
            switch fields[key] {
            case nil, .null?: true
            case .list(let values)?: values.isEmpty
            case .object(let fields)?: fields.isEmpty
            default: false
            }
        }
    }
}
