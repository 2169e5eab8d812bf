// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel
import Foundation
import Synchronization

/// Keeps what excuses stand for up to date, and answers which kinds of evidence don't count for a process.
public final class ExcuseKeeper: Sendable {
    private struct State {
        var resolver = ExcuseResolver()
        var excuses: [Excuse]
        var table = ExcuseTable()
        var problems: Set<ExcuseResolver.Problem> = []
    }

    /// What a look found: the table where it differs from the last one, and problems that are new.
    public struct Change: Sendable {
        public var table: ExcuseTable?
        public var problems: [ExcuseResolver.Problem]
    }

    private let state: Mutex<State>

    public init(_ excuses: [Excuse]) {
        state = Mutex(State(excuses: excuses))
        _ = refresh()
    }

    /// What the last look found.
    public var table: ExcuseTable { state.withLock { $0.table } }
    /// Why excuses hold for nobody, as the last look found.
    public var problems: [ExcuseResolver.Problem] {
        state.withLock { $0.problems.sorted { $0.description < $1.description } }
    }

    /// Puts other excuses in the place of these.
    public func replace(_ excuses: [Excuse]) -> Change {
        state.withLock { $0.excuses = excuses }
        return refresh()
    }

    /// Looks again: files are replaced, units and containers come and go, excuses end.
    public func refresh(on day: CalendarDay = .today) -> Change {
        state.withLock { state in
            let (table, problems) = state.resolver.resolve(state.excuses, on: day)
            let change = Change(
                table: table == state.table ? nil : table, problems: problems.filter { !state.problems.contains($0) })
            state.table = table
            state.problems = Set(problems)
            return change
        }
    }

    /// The kinds of evidence that don't count for a running process, by what excuses stand for right now: for who asks
    /// seldom, about a call that would be denied or reported.
    public func excusedEvidence(of processID: Int32) -> Set<EvidenceKind> {
        _ = refresh()
        return Set(excuses(of: processID).map(\.evidence))
    }

    /// The excuses that hold for a running process.
    public func excuses(of processID: Int32) -> [Excuse] {
        let table = table
        return table.isEmpty ? [] : table.excuses(for: ProcessParties.parties(of: processID))
    }
}

extension CalendarDay {
    /// The day it is, by this machine's clock.
    public static var today: CalendarDay { CalendarDay(ofMilliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
}
