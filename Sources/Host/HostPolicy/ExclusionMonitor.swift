// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel
import FileAccess
import Foundation
import Synchronization

/// Keeps the targets of exclusions up to date, and tells which kinds of evidence don't count for a process.
public final class ExclusionMonitor: ExclusionProviding {
    private struct State {
        var resolver = ExclusionResolver()
        var exclusions: [Exclusion]
        var table = ExclusionTable()
        var problems: Set<ExclusionProblem> = []
        var lookUps = 0
        var age = LookUpAge()
    }

    /// How long what was found of the subjects is believed: until then a new container, or a replaced file, may not be excluded yet.
    /// A file that was replaced is never taken for the one that was found: a process is compared by its own program's state.
    public static let interval = Duration.seconds(1)

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
            state.age = LookUpAge()
            state.lookUps += 1
            let (table, problems) = state.resolver.resolve(state.exclusions, on: day)
            let change = Change(
                table: table == state.table ? nil : table, problems: problems.filter { !state.problems.contains($0) })
            state.table = table
            state.problems = Set(problems)
            return change
        }
    }

    /// How often the subjects were looked up.
    var lookUps: Int { state.withLock { $0.lookUps } }

    /// The kinds of evidence that don't count for a running process, with what has changed of it in mind.
    public func excludedEvidence(forProcess processID: Int32) -> Set<EvidenceKind> {
        Set(currentExclusions(forProcess: processID).compactMap(\.evidence))
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

    /// Whether a running process is excluded although it can't be inspected; as ``excludedEvidence(forProcess:)``.
    public func allowsUninspected(process processID: Int32) -> Bool {
        currentExclusions(forProcess: processID).contains { $0.evidence == nil }
    }

    /// The exclusions that apply to a running process. Refreshes first if the last refresh is not recent, or the process's program or
    /// group is newer: a program that makes call after call costs no look at everything each time.
    private func currentExclusions(forProcess processID: Int32) -> [Exclusion] {
        let (table, age) = state.withLock { ($0.table, $0.age) }
        let found = ProcessExclusionTargets.dated(ofProcess: processID, libraries: table.libraries)
        guard age.isTooOld(now: .now, changed: found.changed) else { return table.exclusions(for: found.targets) }
        _ = refresh()
        return exclusions(forProcess: processID)
    }

    /// The exclusions that apply to a running process, by the last refresh.
    public func exclusions(forProcess processID: Int32) -> [Exclusion] {
        let table = table
        return table.isEmpty
            ? [] : table.exclusions(for: ProcessExclusionTargets.targets(ofProcess: processID, libraries: table.libraries))
    }
}

/// When the subjects of exclusions were looked up.
struct LookUpAge {
    var began = ContinuousClock.now
    /// The same by the clock that dates changes of files.
    var time = FileIdentity.Time.now

    /// Whether a process may not be judged by what was found then.
    ///
    /// - Parameter changed: when the process's program, or a group of it, changed last.
    func isTooOld(now: ContinuousClock.Instant, changed: FileIdentity.Time?) -> Bool {
        now - began >= ExclusionMonitor.interval || changed.map { $0 >= time } ?? false
    }
}

extension CalendarDay {
    /// The current day, by this machine's clock.
    public static var today: CalendarDay { CalendarDay(ofMilliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
}
