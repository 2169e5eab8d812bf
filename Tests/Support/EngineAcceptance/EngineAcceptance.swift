// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// Whether the engines that this machine has take a signature's renderings.
///
/// Each engine starts once for all signatures: starting takes far longer than reading rules. Deliveries don't wait
/// for it; Suricata's forms of rules are proven ahead of them (SuricataDelivery).
public enum EngineAcceptance {
    /// How long one engine may take, in seconds.
    public static let timeLimit = 30.0

    /// One check an engine, `engine-suricata`, `engine-yara` and `engine-clamav`: passed when it takes every rendering,
    /// failed when it refuses one. Not checked where the engine is not installed or does not end in time, or where its
    /// language can't say what the signatures say; only Suricata's must be able to, since its rules are delivered.
    public static func checks(of signatures: [Signature]) async -> [Proof.Check] {
        await checks(of: signatures, engines: Engine.all)
    }

    static func checks(of signatures: [Signature], engines: [Engine]) async -> [Proof.Check] {
        await withTaskGroup(of: (Int, Proof.Check).self) { group in
            for (index, engine) in engines.enumerated() {
                group.addTask { (index, await check(engine, signatures)) }
            }
            var checks: [Int: Proof.Check] = [:]
            for await (index, check) in group { checks[index] = check }
            return engines.indices.compactMap { checks[$0] }
        }
    }

    private static func check(_ engine: Engine, _ signatures: [Signature]) async -> Proof.Check {
        func notChecked(_ why: String) -> Proof.Check { .init(name: engine.check, outcome: .notChecked, detail: why) }
        guard let program = EngineCommand.path(of: engine.program) else { return notChecked("\(engine.program) is not installed") }
        let rendered = engine.rendered(signatures)
        if engine.mustRender, let complaint = rendered.complaints.first {
            return .init(name: engine.check, passed: false, detail: complaint)
        }
        guard rendered.count > 0 else {
            return notChecked(rendered.complaints.first ?? "there are no signatures")
        }
        let left = rendered.complaints.isEmpty ? "" : "; \(rendered.complaints.count) can't be written in its language"
        switch await EngineCommand.run(program, engine, rendered.files, within: timeLimit) {
        case .accepted:
            return .init(name: engine.check, passed: true, detail: "\(rendered.count) of \(rendered.count) rules taken\(left)")
        case .refused(let words):
            return .init(name: engine.check, passed: false, detail: "\(engine.program) refuses the rules: \(words)")
        case .unknown(let why):
            return notChecked(why)
        }
    }
}
