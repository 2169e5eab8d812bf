// SPDX-License-Identifier: Apache-2.0

import Glibc
import Scheduling
import Synchronization

/// Tells the other processes that have a store open that there is something new (NOTIFY), and hears of theirs (LISTEN).
///
/// Whoever hears looks into the store; whatever isn't heard is found by the next look that is made anyway. Rings that come close
/// together are one: the commit of each takes a lock that is one for the whole server. So none is part of a transaction that others
/// wait for.
final class PostgresBell: Sendable {
    /// The channel's name. Each database has its own.
    private static let channel = "epitope"
    /// Between two rings.
    private static let pause = Duration.milliseconds(20)
    /// How long a server may say nothing before it is asked whether it still listens.
    private static let silence = Duration.seconds(20)
    private static let attemptMicroseconds: UInt32 = 1_000_000

    /// Tells this process's rings from others'.
    private let name = String(UInt64.random(in: .min ... .max), radix: 36)
    private let lane: PostgresLane
    private let ears: Ears
    private let state = Mutex<(topics: Set<String>, isRinging: Bool)>(([], false))

    /// What the thread that listens holds: it must not keep the store.
    private final class Ears: Sendable {
        let isClosed = Atomic(false)
        let isStarted = Atomic(false)
    }

    init(label: String, open: @escaping @Sendable () throws(PostgresFailure) -> PostgresConnection) {
        lane = PostgresLane(label: label) { () throws(PostgresFailure) in
            let connection = try open()
            // A ring need not outlive the server, and waits for no standby.
            try connection.run("SET synchronous_commit = off")
            return connection
        }
        ears = Ears()
    }

    deinit { close() }

    func close() {
        ears.isClosed.store(true, ordering: .relaxed)
        lane.close()
    }

    /// Rings soon, once for all that is new by then.
    func ring(_ topic: String) {
        let begins = state.withLock { state in
            state.topics.insert(topic)
            defer { state.isRinging = true }
            return !state.isRinging
        }
        if begins { Task { await ringAll() } }
    }

    /// Rings, and returns when the server has it; what can't be told is left.
    func ringNow(_ topic: String) async { await send([topic]) }

    private func ringAll() async {
        while let topics = taken() {
            await send(topics)
            try? await Task.sleep(for: Self.pause)
        }
    }

    /// - Returns: `nil` when nothing is new: the next ring begins anew.
    private func taken() -> Set<String>? {
        state.withLock { state in
            state.isRinging = !state.topics.isEmpty
            defer { state.topics = [] }
            return state.isRinging ? state.topics : nil
        }
    }

    private func send(_ topics: Set<String>) async {
        let payload = ([name] + topics.sorted()).joined(separator: " ")
        // The others look without it, a little later.
        try? await lane.run { _ = try $0.execute("SELECT pg_notify(?, ?)", [.text(Self.channel), .text(payload)]) }
    }

    /// Listens until the store is closed, on a thread of its own.
    ///
    /// - Parameter heard: called with the topics of others' rings; `nil`: the connection is new, and rings may have been missed.
    /// - Returns: whether it listens.
    func listen(
        open: @escaping @Sendable () throws(PostgresFailure) -> PostgresConnection, heard: @escaping @Sendable (Set<String>?) -> Void
    ) -> Bool {
        guard !ears.isStarted.exchange(true, ordering: .relaxed) else { return false }
        let (ears, name) = (ears, name)
        let thread: Void? = try? DedicatedThread.start {
            while !ears.isClosed.load(ordering: .relaxed) {
                do throws(PostgresFailure) {
                    let connection = try open()
                    try connection.run("LISTEN \(Self.channel)")
                    heard(nil)
                    try Self.listen(connection, ears, except: name, heard)
                } catch {
                    // Until it is heard again the others' looks are enough.
                    usleep(Self.attemptMicroseconds)
                }
            }
        }
        return thread != nil
    }

    private static func listen(
        _ connection: PostgresConnection, _ ears: Ears, except own: String, _ heard: (Set<String>?) -> Void
    ) throws(PostgresFailure) {
        var asked = ContinuousClock.now
        while !ears.isClosed.load(ordering: .relaxed) {
            var topics: Set<String> = []
            for payload in try connection.notifications(within: .seconds(1)) {
                let words = payload.split(separator: " ").map(String.init)
                if words.first != own { topics.formUnion(words.dropFirst()) }
            }
            if !topics.isEmpty { heard(topics) }
            guard ContinuousClock.now - asked > silence else { continue }
            asked = .now
            try connection.execute("SELECT 1")
        }
    }
}
