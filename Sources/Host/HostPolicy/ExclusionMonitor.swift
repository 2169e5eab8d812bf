// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel
import Foundation
import Synchronization

/// Keeps what exclusions stand for up to date, and answers which kinds of evidence don't count for a process.
public final class ExclusionMonitor: Sendable {
    private struct State {
        var resolver = ExclusionResolver()
        var exclusions: [Exclusion]
        var table = ExclusionTable()
        var problems: Set<ExclusionResolver.Problem> = []
    }

    /// What a look found: the table where it differs from the last one, and problems that are new.
    public struct Change: Sendable {
        public var table: ExclusionTable?
        public var problems: [ExclusionResolver.Problem]
    }

    private let state: Mutex<State>

    public init(_ exclusions: [Exclusion]) {
        state = Mutex(State(exclusions: exclusions))
        _ = refresh()
    }

    /// What the last look found.
    public var table: ExclusionTable { state.withLock { $0.table } }
    /// Why exclusions hold for nobody, as the last look found.
    public var problems: [ExclusionResolver.Problem] {
        state.withLock { $0.problems.sorted { $0.description < $1.description } }
    }

    /// Puts other exclusions in the place of these.
    public func replace(_ exclusions: [Exclusion]) -> Change {
        state.withLock { $0.exclusions = exclusions }
        return refresh()
    }

    /// Looks again: files are replaced, units and containers come and go, exclusions end.
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

    /// The kinds of evidence that don't count for a running process, by what exclusions stand for right now: for who asks
    /// seldom, about a call that would be denied or reported.
    public func excludedEvidence(of processID: Int32) -> Set<EvidenceKind> {
        _ = refresh()
        return Set(exclusions(of: processID).map(\.evidence))
    }

    /// The exclusions that hold for a running process.
    public func exclusions(of processID: Int32) -> [Exclusion] {
        let table = table
        return table.isEmpty ? [] : table.exclusions(for: ProcessExclusionTargets.parties(of: processID))
    }
}

extension CalendarDay {
    /// The day it is, by this machine's clock.
    public static var today: CalendarDay { CalendarDay(ofMilliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
}
