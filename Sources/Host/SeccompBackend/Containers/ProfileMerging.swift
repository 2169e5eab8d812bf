// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials

extension SeccompProfile {
    /// This profile put into another one, such as an engine's default: what that one allows and this one watches is notified;
    /// everything else stays as it is. What it doesn't allow is not notified, either: the agent lets benign calls go on, so that
    /// would allow them.
    ///
    /// Where it allows `socketcall` as a whole, that is notified as a whole, first of all: libseccomp makes rules for the calls
    /// that 32-bit programs make through it out of the rules for their names, leaves those out that come after a rule for all
    /// of it, and refuses two with different actions (engines' profiles have such rules for `socket`). The supervisor lets the
    /// others go on.
    ///
    /// - Parameter base: JSON, as docker, podman and Kubernetes take it.
    /// - Throws: `seccomp-profile-unusable`: it is no profile, it has another agent already, or it allows a call that is to be
    ///   watched only under a condition, which a notification can't keep.
    public func merged(into base: [UInt8]) throws(EpitopeError) -> String {
        let decoded: JSONValue
        do {
            decoded = try JSONDecoder().decode(JSONValue.self, from: Data(base))
        } catch {
            throw Self.unusable("it is no JSON")
        }
        guard case .object(var profile) = decoded, let defaultAction = profile["defaultAction"]?.string else {
            throw Self.unusable("it has no defaultAction")
        }
        guard profile["listenerPath"] == nil else { throw Self.unusable("it names an agent already, in listenerPath") }
        var allowed = defaultAction == Self.allow ? Set(Self.criticalCalls) : []
        var ruled: Set<String> = []
        let watchable = Set(Self.criticalCalls + [Self.socketcall])
        var rules: [JSONValue] = []
        var given: [JSONValue] = []
        if case .list(let list)? = profile["syscalls"] { given = list }
        for rule in given {
            guard case .object(var fields) = rule, let action = fields["action"]?.string else {
                throw Self.unusable("a rule has no action")
            }
            let names = fields["names"]?.strings ?? fields["name"]?.string.map { [$0] } ?? []
            let ours = watchable.intersection(names)
            guard action != Self.notify else { throw Self.unusable("it has calls notified already") }
            guard action == Self.allow else {
                ruled.formUnion(ours)
                rules.append(rule)
                continue
            }
            let others = names.filter { !ours.contains($0) }
            if !ours.isEmpty {
                guard Self.isUnconditional(fields) else {
                    throw Self.unusable("it allows \(ours.sorted().joined(separator: ", ")) under a condition")
                }
                allowed.formUnion(ours)
            }
            guard !others.isEmpty else { continue }
            fields["name"] = nil
            fields["names"] = .list(others.map(JSONValue.text))
            rules.append(.object(fields))
        }
        let watched = allowed.subtracting(ruled)
        if !watched.isEmpty {
            rules.insert(.object(["names": .list(watched.sorted().map(JSONValue.text)), "action": .text(Self.notify)]), at: 0)
        }
        profile["syscalls"] = .list(rules)
        profile["listenerPath"] = .text(listenerPath)
        profile["listenerMetadata"] = .text(listenerMetadata)
        if let flags {
            let before = profile["flags"]?.strings ?? []
            profile["flags"] = .list((before + flags.map(\.rawValue).filter { !before.contains($0) }).map(JSONValue.text))
        }
        return JSONValue.object(profile).text
    }

    /// Without arguments to compare, capabilities to have or kernels to be: absent or empty.
    private static func isUnconditional(_ rule: [String: JSONValue]) -> Bool {
        ["args", "includes", "excludes"].allSatisfy { key in
            switch rule[key] {
            case nil, .null?: true
            case .list(let values)?: values.isEmpty
            case .object(let fields)?: fields.isEmpty
            default: false
            }
        }
    }

    private static func unusable(_ what: String) -> EpitopeError {
        EpitopeError(
            .profileUnusable, "the calls can't be put into the profile: \(what)",
            remedy: "Give a profile as docker's or Kubernetes' documentation has it, or merge the two by hand.")
    }
}
