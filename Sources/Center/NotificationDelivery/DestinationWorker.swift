// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import CenterStore
import EpitopeModel
import Logging
import Notifications
import Scheduling

/// Tells one destination what waits for it, in order. It waits for no other, and none waits for it.
struct DestinationWorker: Sendable {
    let name: String
    let settings: DestinationSettings
    let store: CenterStore
    let sender: NoticeSender
    let backoff: Backoff
    /// Given when there may be something to tell.
    let signal: WakeUpSignal
    let logger: Logger

    /// What the worker knows between its attempts.
    private struct Progress {
        var retry: RetryState
        /// Whether the last attempt failed, which was said in the log.
        var isFailing = false
        /// Whether notices go one by one: together one of them was refused, and it isn't known which.
        var isSingle = false
    }

    /// What is to be done after an attempt.
    private enum Next {
        /// There may be more to tell.
        case goOn
        /// Nothing is due.
        case wait
        /// The same again, after a while.
        case tryAgain
    }

    /// Works until the task is cancelled.
    func run() async {
        for outcome in ["told", "refused", "dropped", "failed"] { store.counters.notices.add(name, outcome, number: 0) }
        let transport: any NoticeTransport
        do throws(EpitopeError) { transport = try settings.transport(from: sender) } catch {
            return logger.error("the destination '\(name)' of notices can't be used: \(error)")
        }
        var progress = Progress(retry: RetryState(backoff))
        while !Task.isCancelled {
            let seen = signal.count
            let next: Next
            do throws(EpitopeError) {
                next = try await tellSome(transport, &progress)
            } catch {
                if Task.isCancelled { break }
                // Of the store, which others report.
                logger.error("notices for '\(name)' could not be read or noted, and are again: \(error)")
                progress.retry.failed()
                next = .tryAgain
            }
            switch next {
            case .goOn: continue
            case .wait: await signal.wait(after: seen)
            case .tryAgain: if let remaining = progress.retry.remaining { try? await Task.sleep(for: remaining) }
            }
        }
        await transport.close()
    }

    private func tellSome(_ transport: any NoticeTransport, _ progress: inout Progress) async throws(EpitopeError) -> Next {
        let due = try await store.noticesDue(for: name, limit: progress.isSingle ? 1 : transport.batch)
        if !due.damaged.isEmpty {
            let error = EpitopeError(
                .noticeDamaged, "the records of \(due.damaged.count) notices can't be read", remedy: "they are dropped: see `events`")
            try await store.noticesTold(to: name, [], refused: due.damaged, refusal: error)
            count(told: 0, refused: due.damaged.count)
        }
        guard !due.notices.isEmpty else {
            progress.isSingle = false
            return due.damaged.isEmpty ? .wait : .goOn
        }
        let outcome: DeliveryOutcome
        do throws(EpitopeError) { outcome = try await transport.send(due.notices.map(\.notice)) } catch {
            // What the end cut short is told again after the next start.
            guard !Task.isCancelled else { return .tryAgain }
            progress.retry.failed(atLeast: .seconds(error.retryAfterSeconds ?? 0))
            store.counters.notices.add(name, "failed")
            if !progress.isFailing { logger.warning("the destination '\(name)' of notices could not be told: \(error)") }
            progress.isFailing = true
            try await store.noticesFailed(for: name, error)
            return .tryAgain
        }
        if outcome.refused > 0, due.notices.count > 1, outcome.refused == due.notices.count {
            progress.isSingle = true
            return .goOn
        }
        let numbers = due.notices.map(\.number)
        let told = Array(numbers.dropLast(outcome.refused))
        try await note(told, refused: Array(numbers.suffix(outcome.refused)), outcome.refusal)
        count(told: told.count, refused: outcome.refused)
        if let refusal = outcome.refusal { logger.warning("the destination '\(name)' refused a notice, which is dropped: \(refusal)") }
        if progress.isFailing { logger.notice("the destination '\(name)' of notices is told again") }
        progress.isFailing = false
        progress.retry.succeeded()
        return .goOn
    }

    /// Notes what the receiver has, also when the center ends meanwhile: else it would be told that again.
    private func note(_ told: [Int64], refused: [Int64], _ refusal: EpitopeError?) async throws(EpitopeError) {
        let (store, name) = (store, name)
        let noting = Task { () async -> Result<Void, EpitopeError> in
            do throws(EpitopeError) {
                return .success(try await store.noticesTold(to: name, told, refused: refused, refusal: refusal))
            } catch {
                return .failure(error)
            }
        }
        try await noting.value.get()
    }

    private func count(told: Int, refused: Int) {
        store.counters.notices.add(name, "told", number: Int64(told))
        store.counters.notices.add(name, "refused", number: Int64(refused))
        if refused > 0 { store.counters.lost.add(.noticesDropped, Int64(refused)) }
    }
}
