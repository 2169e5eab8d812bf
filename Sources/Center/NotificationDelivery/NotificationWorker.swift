// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
public import CenterStore
import EpitopeModel
import Glibc
public import Logging
public import Notifications
public import Scheduling
import SettingsFiles

/// Tells other systems what happens, beside a center's other work, which waits for nothing here: events are looked at in the store, what
/// is to be told of them is put down there, and each destination is told by a task of its own, again and again until it has it.
///
/// Several centers over one database: the one that does the work tells (``WorkShift``).
public struct NotificationWorker: Sendable {
    /// The settings, and how their change is told.
    public final class Configuration: Sendable {
        private let settings: LiveValue<NotificationSettings>
        fileprivate let changed = WakeUpSignal()

        public init(_ settings: NotificationSettings) { self.settings = LiveValue(settings) }

        /// What holds now.
        public var current: NotificationSettings { settings.current }

        /// Has others hold from now on.
        public func follow(_ new: NotificationSettings) {
            guard settings.current != new else { return }
            settings.current = new
            changed.send()
        }
    }

    private let store: CenterStore
    private let configuration: Configuration
    private let sender: NoticeSender
    private let backoff: Backoff
    private let logger: Logger

    /// How long between two looks at events at least: what comes together is looked at together.
    private static let pause = Duration.milliseconds(100)

    /// - Parameters:
    ///   - store: all that this writes goes through it.
    ///   - sender: who tells.
    ///   - backoff: between attempts at a destination that fails.
    public init(
        store: CenterStore, configuration: Configuration, sender: NoticeSender, backoff: Backoff = .notices, logger: Logger
    ) {
        self.store = store
        self.configuration = configuration
        self.sender = sender
        self.backoff = backoff
        self.logger = logger
    }

    /// Works until the task is cancelled.
    public func run() async {
        while !Task.isCancelled {
            let seen = configuration.changed.count
            let settings = configuration.current
            await withTaskGroup { group in
                group.addTask { await tell(settings) }
                group.addTask { await configuration.changed.wait(after: seen) }
                await group.next()
                group.cancelAll()
            }
        }
    }

    /// Tells by these settings until the task is cancelled.
    private func tell(_ settings: NotificationSettings) async {
        let names = settings.destinations.names
        await retrying("the notices of destinations that the settings no longer name") { () async throws(EpitopeError) in
            let dropped = try await store.keepNoticeDestinations(Set(names))
            if dropped > 0 { logger.notice("\(dropped) notices were dropped: the settings no longer name their destinations") }
        }
        guard !names.isEmpty else { return await Self.untilCancelled() }
        let signals = Dictionary(names.map { ($0, WakeUpSignal()) }) { first, _ in first }
        await withTaskGroup { group in
            group.addTask { await plan(settings.plan, signals) }
            for name in names {
                guard let destination = settings.destinations.groups[name], let signal = signals[name] else { continue }
                group.addTask {
                    await DestinationWorker(
                        name: name, settings: destination, store: store, sender: sender, backoff: backoff, signal: signal, logger: logger
                    ).run()
                }
            }
        }
    }

    /// Looks at new events whenever there are some.
    private func plan(_ plan: NoticePlan, _ signals: [String: WakeUpSignal]) async {
        var retry = RetryState(.notices)
        // What an earlier run left is looked at once by each as it begins; after that when there is something new, or due.
        var due: Int64?
        while !Task.isCancelled {
            let seen = store.eventSignal.count
            var next: Duration?
            do throws(EpitopeError) {
                let round = try await store.planNotices(plan)
                retry.succeeded()
                for (name, count) in round.dropped {
                    store.counters.notices.add(name, "dropped", number: Int64(count))
                    store.counters.lost.add(.noticesDropped, Int64(count))
                }
                let isDue = due.map { $0 <= store.clock.nowMilliseconds } ?? false
                for (name, signal) in signals where isDue || round.queued.contains(name) { signal.send() }
                due = round.nextDueMilliseconds
                if round.isMore { continue }
                next = round.nextDueMilliseconds.map { .milliseconds(max(0, $0 - store.clock.nowMilliseconds)) }
            } catch {
                guard !Task.isCancelled else { return }
                logger.error("events could not be looked at for notices, and are again: \(error)")
                try? await Task.sleep(for: retry.failed())
                continue
            }
            await store.eventSignal.wait(after: seen, atMost: min(next ?? Self.maxSleep, Self.maxSleep))
            try? await Task.sleep(for: Self.pause)
        }
    }

    /// After it what other processes wrote is noticed, whether or not they said so.
    private static let maxSleep = Duration.seconds(5)

    private func retrying(_ what: String, _ step: () async throws(EpitopeError) -> Void) async {
        var retry = RetryState(.notices)
        while !Task.isCancelled {
            do throws(EpitopeError) { return try await step() } catch {
                guard !Task.isCancelled else { return }
                logger.error("\(what) could not be looked at, and are again: \(error)")
                try? await Task.sleep(for: retry.failed())
            }
        }
    }

    private static func untilCancelled() async {
        let never = WakeUpSignal()
        await never.wait(after: never.count)
    }
}

extension Backoff {
    /// Between attempts at a destination of notices: from a second up to five minutes.
    public static let notices = Backoff(initial: .seconds(1), maximum: .seconds(300))
}

extension NoticeSender {
    /// This machine's center.
    public static func here(_ center: String) -> NoticeSender {
        var bytes = [CChar](repeating: 0, count: 256)
        let isKnown = gethostname(&bytes, 255) == 0
        let name = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return NoticeSender(center: center, host: isKnown && !name.isEmpty ? name : "localhost", version: Version.current)
    }
}
