// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension Policy {
    /// Decides on a call: collects the evidence, drops what is excluded, and chooses the action.
    ///
    /// - Parameter excluded: the kinds of evidence that don't count for the process.
    public func judge(_ observation: Observation, excluding excluded: Set<EvidenceKind> = []) -> Verdict {
        verdict(on: observation, observation.evidence, excluding: excluded)
    }

    /// Decides on a call, and looks up the exclusions only when they can change the decision.
    ///
    /// - Parameter lookUpExclusions: returns the kinds of evidence that don't count for the process. Called once for a call
    ///   that would be reported or acted upon without exclusions, and never for any other.
    public func judge(_ observation: Observation, lookingUpExclusions lookUpExclusions: () -> Set<EvidenceKind>) -> Verdict {
        let evidence = observation.evidence
        let excluded = isReported(evidence) ? lookUpExclusions() : []
        return verdict(on: observation, evidence, excluding: excluded)
    }

    private func verdict(
        on observation: Observation, _ evidence: [Evidence], excluding excluded: Set<EvidenceKind>
    ) -> Verdict {
        let counted = evidence.filter { !excluded.contains($0.kind) }
        let caller = observation.unbackedCaller
        return Verdict(
            action: chooseAction(for: counted), isReported: isReported(counted), architecture: observation.architecture,
            evidence: counted, excluded: evidence.filter { excluded.contains($0.kind) },
            callersAddress: caller?.address ?? observation.instructionPointer, region: caller?.region ?? observation.region)
    }

    /// - Parameter evidence: the strongest first.
    private func isActedUpon(_ evidence: [Evidence]) -> Bool {
        evidence.first.map { $0.kind.defaultWeight >= blockAt } ?? false
    }

    private func isReported(_ evidence: [Evidence]) -> Bool {
        isActedUpon(evidence) || evidence.first.map { $0.kind.defaultWeight >= reportAt } ?? false
    }

    private func chooseAction(for evidence: [Evidence]) -> ProtectiveAction {
        guard isActedUpon(evidence) else { return .watched }
        return switch action {
        case .watch: .watched
        case .block: .blocked
        case .stop: .stopped
        case .kill: .killed
        }
    }
}
