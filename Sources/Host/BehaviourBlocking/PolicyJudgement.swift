// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension Policy {
    /// Decides on a call: collects the evidence, drops what is excluded, and chooses the action.
    ///
    /// - Parameter excluded: the kinds of evidence that don't count for the process.
    public func judge(_ observation: Observation, excluding excluded: Set<EvidenceKind> = []) -> Verdict {
        verdict(on: observation, evidence(in: observation), excluding: excluded)
    }

    /// Decides on a call, and looks up the exclusions only when they can change the decision.
    ///
    /// - Parameter lookUpExclusions: returns the kinds of evidence that don't count for the process. Called once for a call
    ///   that would be reported or acted upon without exclusions, and never for any other.
    public func judge(_ observation: Observation, lookingUpExclusions lookUpExclusions: () -> Set<EvidenceKind>) -> Verdict {
        let evidence = evidence(in: observation)
        let excluded = isReported(points(of: evidence, in: observation)) ? lookUpExclusions() : []
        return verdict(on: observation, evidence, excluding: excluded)
    }

    /// The strongest first.
    private func evidence(in observation: Observation) -> [Evidence] {
        guard isOn(observation.application) else { return [] }
        return observation.evidence { weight(of: $0, for: observation.application) }
    }

    private func verdict(
        on observation: Observation, _ evidence: [Evidence], excluding excluded: Set<EvidenceKind>
    ) -> Verdict {
        let counted = evidence.filter { !excluded.contains($0.kind) }
        let points = points(of: counted, in: observation)
        let caller = observation.unbackedCaller
        return Verdict(
            action: chooseAction(for: points, in: observation), isReported: isReported(points), architecture: observation.architecture,
            evidence: counted, excluded: evidence.filter { excluded.contains($0.kind) }, points: points,
            callersAddress: caller?.address ?? observation.instructionPointer, region: caller?.region ?? observation.region)
    }

    /// - Parameter evidence: the strongest first.
    private func points(of evidence: [Evidence], in observation: Observation) -> Int {
        evidence.first.map { weight(of: $0.kind, for: observation.application) } ?? 0
    }

    private func isActedUpon(_ points: Int) -> Bool { points >= blockAt && points > 0 }

    private func isReported(_ points: Int) -> Bool { isActedUpon(points) || (points >= reportAt && points > 0) }

    private func chooseAction(for points: Int, in observation: Observation) -> ProtectiveAction {
        guard isActedUpon(points) else { return .watched }
        return switch action(for: observation.application) {
        case .watch: .watched
        case .block: .blocked
        case .stop: .stopped
        case .kill: .killed
        }
    }
}
