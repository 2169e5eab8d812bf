// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// Whether the engines that are installed on this machine accept the renderings of signatures.
///
/// Each engine starts once for all signatures: starting takes far longer than reading rules. Only tests and benchmarks
/// do this; deliveries test Suricata's forms of rules ahead of time (module SuricataDelivery).
public enum EngineAcceptance {
    /// How long one engine may take, in seconds.
    public static let timeLimit = 30.0

    /// What one engine does with the renderings.
    public struct Verdict: Hashable, Sendable {
        /// `suricata`, `yara` or `clamav`.
        public var engine: String
        public var outcome: Proof.Check.Outcome
        /// What it said, for a person.
        public var detail: String
    }

    /// One verdict for each engine: passed when it accepts every rendering, failed when it rejects one. Not checked
    /// where the engine is not installed or does not exit in time, or where its language can't express the signatures;
    /// only Suricata's must be able to, since its rules are delivered.
    public static func verdicts(on signatures: [Signature]) async -> [Verdict] {
        await verdicts(on: signatures, engines: Engine.all)
    }

    static func verdicts(on signatures: [Signature], engines: [Engine]) async -> [Verdict] {
        await withTaskGroup(of: (Int, Verdict).self) { group in
            for (index, engine) in engines.enumerated() {
                group.addTask { (index, await verdict(of: engine, on: signatures)) }
            }
            var verdicts: [Int: Verdict] = [:]
            for await (index, verdict) in group { verdicts[index] = verdict }
            return engines.indices.compactMap { verdicts[$0] }
        }
    }

    private static func verdict(of engine: Engine, on signatures: [Signature]) async -> Verdict {
        func verdict(_ outcome: Proof.Check.Outcome, _ detail: String) -> Verdict {
            Verdict(engine: engine.name, outcome: outcome, detail: detail)
        }
        func notChecked(_ why: String) -> Verdict { verdict(.notChecked, why) }
        guard let program = EngineCommand.path(of: engine.program) else { return notChecked("\(engine.program) is not installed") }
        let rendered = engine.rendered(signatures)
        if engine.mustRender, let complaint = rendered.complaints.first {
            return verdict(.failed, complaint)
        }
        guard rendered.count > 0 else {
            return notChecked(rendered.complaints.first ?? "there are no signatures")
        }
        let left = rendered.complaints.isEmpty ? "" : "; \(rendered.complaints.count) can't be written in its language"
        switch await EngineCommand.run(program, engine, rendered.files, within: timeLimit) {
        case .accepted:
            return verdict(.passed, "\(rendered.count) of \(rendered.count) rules accepted\(left)")
        case .refused(let words):
            return verdict(.failed, "\(engine.program) rejects the rules: \(words)")
        case .unknown(let why):
            return notChecked(why)
        }
    }
}
