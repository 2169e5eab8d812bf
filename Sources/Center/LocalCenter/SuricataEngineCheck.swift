// SPDX-License-Identifier: Apache-2.0

public import Captures
public import CenterAnalysis
import EpitopeModel
import Rendering
import Scheduling
public import Signatures
public import SuricataDelivery

/// The site's Suricata, run over flows that carried an attack.
///
/// Runs come one after the other on a thread of their own: reading the flows out of a capture and Suricata's runs take seconds at
/// most, and nobody waits for them.
public final class SuricataEngineCheck: EngineChecking {
    private let settings: SuricataSettings
    private let readingTime: Duration
    private let queue = BlockingQueue(label: "epitope.engine-check")

    /// - Parameter readingTime: how long the flows are sought in the captures, at most.
    public init(_ settings: SuricataSettings, readingTime: Duration) {
        self.settings = settings
        self.readingTime = readingTime
    }

    public func check(_ signature: Signature, over flows: [CapturedFlow]) async -> Proof.Check {
        do {
            return try await queue.runUnlessCancelled { self.check(signature, over: flows) }
        } catch {
            return Proof.Check(.engineFires, .notChecked, "the center ended before Suricata had run; the rule only alerts")
        }
    }

    private func check(_ signature: Signature, over flows: [CapturedFlow]) -> Proof.Check {
        let cut: FlowCut.Cut
        do throws(FlowCut.Failure) {
            cut = try FlowCut.cut(flows, deadline: .now + readingTime)
        } catch {
            return Proof.Check(.engineFires, .notChecked, "\(error.reason); the rule only alerts")
        }
        do throws(EpitopeError) {
            return check(try CarrierRun(settings).outcome(of: signature, over: cut.capture), cut, flows.count)
        } catch {
            return Proof.Check(.engineFires, .notChecked, "\(error.message); the rule only alerts")
        }
    }

    /// Where rules drop, Suricata is inline. One that only listens sees no match that lies across a border of what it looks at
    /// at once, whatever the rule: there one of both ways suffices.
    private func check(_ outcome: CarrierRun.Outcome, _ cut: FlowCut.Cut, _ flows: Int) -> Proof.Check {
        func word(_ isFiring: Bool) -> String { isFiring ? "fires" : "does not fire" }
        return Proof.Check(
            .engineFires, passed: outcome.inline || settings.action == .alert && outcome.passive,
            "over \(flows == 1 ? "the flow" : "\(flows) flows") that carried the attack (\(cut.frames) frames) Suricata "
                + "\(word(outcome.inline)) inline and \(word(outcome.passive)) where it listens")
    }
}
