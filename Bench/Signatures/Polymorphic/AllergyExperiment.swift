// SPDX-License-Identifier: Apache-2.0

import BenchSupport
import EpitopeModel
import Signatures
import TestSupport
import TokenSequences

/// Allergy attacks (Chung and Mok 2006): an attacker hands in samples that hold bytes of benign traffic, so that the
/// signature made of them filters that traffic.
///
/// The advanced form takes bytes that the benign pool doesn't know: here a run that some of the held-out streams have,
/// and that was taken out of the pool with every stream that holds it. No corpus can refuse those. What is left is
/// that a rule is narrowed to where the evidence came in, so it is shown how many streams a delivered rule would hit
/// with that, and without.
enum AllergyExperiment {
    /// - Returns: signatures of known benign bytes that hit a held-out stream in their context, and the streams that the
    ///   rule of the advanced form hits in its context.
    static func run(_ laboratory: Laboratory, attackSamples: Int) -> (delivered: Int, advancedHits: Int) {
        var random = laboratory.random("allergy")
        var rows: [[String]] = []
        let requests = laboratory.traffic.training.filter { $0.kind == .http && $0.isToServer }
        func row(_ name: String, _ samples: [[UInt8]], _ benign: BenignPool, _ context: SignatureContext, at place: String) -> (Int, Int) {
            let trial = Trial(samples, context: context, benign: benign, noiseShare: 0.5)
            let hits = trial.hits(laboratory.heldOut)
            let narrowed = hits.filter { context.admits($0) }.count
            rows.append([
                name, place, "\(trial.signatures.count)", "\(trial.provable)", "\(hits.count)", "\(narrowed)",
                Report.percent(narrowed, of: laboratory.heldOut.count),
            ])
            return (trial.signatures.count, narrowed)
        }

        let web = SignatureContext(transport: .tcp, ports: [requests.first?.serverPort ?? 80], direction: .toService)
        let other = SignatureContext(transport: .tcp, ports: [8443], direction: .toService)
        var known: [(Int, Int)] = []
        known.append(
            row(
                "benign requests as they are", requests.shuffled(using: &random).prefix(attackSamples).map(\.bytes), laboratory.benign,
                web, at: "at the web service"))
        if let run = Self.run(in: laboratory.traffic.training, &random)?.run {
            let samples = (0..<attackSamples).map { _ in
                AttackFamily.scatter([run], over: random.bytes(200...400), &random)
            }
            known.append(row("random fill around a known benign run", samples, laboratory.benign, web, at: "at the web service"))
        }
        var advanced = 0
        if let future = Self.run(in: laboratory.heldOut, &random) {
            let rest = laboratory.benign.streams.filter { !future.signature.matches($0) }
            let samples = (0..<attackSamples).map { _ in
                AttackFamily.scatter([future.run], over: random.bytes(200...400), &random)
            }
            advanced =
                row(
                    "advanced: a run that the pool lacks", samples, BenignPool(streams: rest), web, at: "at the web service"
                ).1
            _ = row("advanced: a run that the pool lacks", samples, BenignPool(streams: rest), other, at: "at another service")
        }
        Report.table(
            "Allergy: \(attackSamples) samples that hold benign bytes; how many of \(laboratory.heldOut.count) held-out streams a rule would hit",
            ["samples", "evidence", "signatures", "provable", "hit without context", "hit in context", "in %"], rows)
        Report.remark(
            """
            Published, as we recall it (Chung and Mok 2006): Autograph and Polygraph were led to filter most of a site's
              requests, in the advanced form by pages that the site did not have yet when the benign pool was taken. Here
              only bytes that a stalled call ran from become samples; these experiments leave that hurdle out, and the
              demotion of rules whose hits look benign, too.
            """)
        return (known.reduce(0) { $0 + ($1.1 > 0 ? $1.0 : 0) }, advanced)
    }

    /// A run that between one and twenty in a hundred of the requests hold, the more the better for the attacker.
    private static func run(in streams: [BenignStream], _ random: inout SeededGenerator) -> (run: [UInt8], signature: Signature)? {
        let requests = streams.filter { $0.kind == .http && $0.isToServer && $0.bytes.count >= 80 }
        let sample = Array(requests.prefix(400))
        var best: (run: [UInt8], signature: Signature, count: Int)?
        for _ in 0..<200 {
            guard let stream = requests.randomElement(using: &random) else { return nil }
            let start = Int.random(in: 0...min(stream.bytes.count, 2048) - 24, using: &random)
            let run = Array(stream.bytes[start..<start + 24])
            let signature = Signature(tokens: [.init(bytes: run)], context: .any)
            let count = sample.filter { signature.matches($0.bytes) }.count
            if count * 5 <= sample.count, count > best?.count ?? 0 { best = (run, signature, count) }
        }
        return best.map { ($0.run, $0.signature) }
    }
}

extension SignatureContext {
    /// Whether a rule in this context would look at the stream.
    func admits(_ stream: BenignStream) -> Bool {
        if let transport, transport != stream.transport { return false }
        if !ports.isEmpty, !ports.contains(stream.serverPort) { return false }
        return switch direction {
        case .toService: stream.isToServer
        case .fromPeer: !stream.isToServer
        case .any: true
        }
    }
}
