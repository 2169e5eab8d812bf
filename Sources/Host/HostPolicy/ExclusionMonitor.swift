// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel
import Foundation
import Synchronization

/// Keeps the targets of exclusions up to date, and tells which kinds of evidence don't count for a process.
public final class ExclusionMonitor: ExclusionProviding {
    private struct State {
        var resolver = ExclusionResolver()
        var exclusions: [Exclusion]
        var table = ExclusionTable()
        var problems: Set<ExclusionProblem> = []
    }

    /// The result of a refresh: the table if it differs from the last one, and the problems that are new.
    public struct Change: Sendable {
        public var table: ExclusionTable?
        public var problems: [ExclusionProblem]

        /// The new problems that somebody should correct.
        public var actionableProblems: [ExclusionProblem] { problems.filter(\.isActionable) }
    }

    private let state: Mutex<State>

    public init(_ exclusions: [Exclusion]) {
        state = Mutex(State(exclusions: exclusions))
        _ = refresh()
    }

    /// The table of the last refresh.
    public var table: ExclusionTable { state.withLock { $0.table } }
    /// Why exclusions apply to nothing, by the last refresh.
    public var problems: [ExclusionProblem] {
        state.withLock { $0.problems.sorted { $0.description < $1.description } }
    }
    /// The problems that somebody should correct.
    public var actionableProblems: [ExclusionProblem] { problems.filter(\.isActionable) }

    /// Replaces the exclusions.
    public func replace(_ exclusions: [Exclusion]) -> Change {
        state.withLock { $0.exclusions = exclusions }
        return refresh()
    }

    /// Resolves the exclusions again: files are replaced, units and containers come and go, exclusions end.
    public func refresh(on day: CalendarDay = .today) -> Change {
        state.withLock { state in
            let (table, problems) = state.resolver.resolve(state.exclusions, on: day)
            let change = Change(
                table: table == state.table ? nil : table, problems: problems.filter { !state.problems.contains($0) })
            state.table = table
            state.problems = Set(problems)
            return change
        }
    }

    /// The kinds of evidence that don't count for a running process. Refreshes first, so it is only for the rare calls that
    /// would be denied or reported.
    public func excludedEvidence(forProcess processID: Int32) -> Set<EvidenceKind> {
        _ = refresh()
        return Set(exclusions(forProcess: processID).compactMap(\.evidence))
    }

    /// The kinds of evidence that don't count for a running process since it has mapped a library: what a kernel program can't
    /// know. By the last refresh.
    public func evidenceExcludedByLibraries(ofProcess processID: Int32) -> Set<EvidenceKind> {
        let table = table
        let libraries = table.libraries
        guard !libraries.isEmpty else { return [] }
        return Set(
            table.exclusions(for: ProcessExclusionTargets.targets(ofProcess: processID, libraries: libraries)).compactMap { exclusion in
                if case .library = exclusion.subject { exclusion.evidence } else { nil }
            })
    }

    /// Whether a running process is excluded although it can't be inspected. Refreshes first, as
    /// ``excludedEvidence(forProcess:)``.
    public func allowsUninspected(process processID: Int32) -> Bool {
        _ = refresh()
        return exclusions(forProcess: processID).contains { $0.evidence == nil }
    }

    /// The exclusions that apply to a running process, by the last refresh.
    public func exclusions(forProcess processID: Int32) -> [Exclusion] {
        let table = table
        return table.isEmpty
            ? [] : table.exclusions(for: ProcessExclusionTargets.targets(ofProcess: processID, libraries: table.libraries))
    }
}

extension CalendarDay {
    /// The current day, by this machine's clock.
    public static var today: CalendarDay { CalendarDay(ofMilliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
}
