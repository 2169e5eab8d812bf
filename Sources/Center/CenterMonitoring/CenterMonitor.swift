// SPDX-License-Identifier: Apache-2.0

public import CenterMetrics
public import CenterServer
public import CenterStore
public import EpitopeModel
import SecureChannel
import Synchronization

/// Watches a center from inside: what its metrics are now, whether it is alive, and whether it is ready.
///
/// It only looks when it is asked, and what costs something at most every few seconds.
public final class CenterMonitor: Sendable {
    /// What is watched.
    public struct Subject: Sendable {
        /// `local-center` or `global-center`.
        public var kind: String
        public var store: CenterStore
        public var health: ServiceHealth?
        /// How long a proof may take.
        public var proofTime: Duration
        /// Why the IDS is out of reach; `nil`: it isn't, or there is none.
        public var absence: @Sendable () async -> EpitopeError? = { nil }
        /// When the certificate of the link to the global center ends, in milliseconds since 1970; `nil`: there is none.
        public var linkEnds: @Sendable () async -> Int64? = { nil }

        /// Whether a synchronous standby is expected whatever the database's server says.
        public var expectsStandby = false

        public init(kind: String, store: CenterStore, health: ServiceHealth?, proofTime: Duration) {
            self.kind = kind
            self.store = store
            self.health = health
            self.proofTime = proofTime
        }
    }

    private struct State {
        /// `nil`: it doesn't listen yet.
        var connections: (@Sendable () -> ConnectionUse)?
        var analysis = Standstill()
        var proofs = Standstill()
    }

    let counters: CenterCounters
    private let subject: Subject
    private let state = Mutex(State())
    private let samples: TimedLook<StoreSample?>
    private let writes: TimedLook<EpitopeError.Code?>
    private let absences: TimedLook<EpitopeError.Code?>
    private let startSeconds = Double(ChannelClock.system()) / 1000

    /// Work that waits and does not come forward for so long is stuck.
    static let maxStandstill = 120.0

    public init(_ subject: Subject) {
        let (store, counters) = (subject.store, subject.store.counters)
        self.subject = subject
        self.counters = counters
        samples = TimedLook(every: .seconds(3)) {
            let sample = try? await store.sample()
            if sample == nil { counters.failedSamples.add() }
            return sample
        }
        writes = TimedLook(every: .seconds(5)) {
            do throws(EpitopeError) {
                try await store.checkWriting()
                return nil
            } catch {
                return error.code
            }
        }
        absences = TimedLook(every: .seconds(5)) { await subject.absence()?.code }
    }

    /// The center listens for hosts.
    public func listens(_ connections: @escaping @Sendable () -> ConnectionUse) { state.withLock { $0.connections = connections } }

    /// Notes again and again that the threads that all work shares run, until the task is cancelled.
    public func beat() async {
        while !Task.isCancelled {
            counters.lanes.poolTurned()
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// Whether the center's loops turn. It needs none of the threads that may be stuck.
    public var liveness: Liveness { Liveness(poolAge: counters.lanes.poolAge, lanes: counters.lanes.ages) }

    /// Whether it does its work, and if not, why.
    public func readiness() async -> Readiness {
        async let sample = samples.current()
        async let write = writes.current()
        async let absence = absences.current()
        var seen = ReadinessInputs()
        seen.writeFailure = await write.value??.rawValue
        seen.writePendingSeconds = await write.pending.map(Self.seconds)
        seen.suricataFailure = await absence.value??.rawValue
        let problems = subject.health?.problems ?? [:]
        seen.failures = Dictionary(uniqueKeysWithValues: problems.map { ($0.rawValue, $1.rawValue) })
        seen.storeFailedSeconds = subject.health?.timeSinceFailure(of: .store).map(Self.seconds)
        seen.lanes = counters.lanes.ages
        seen.standing = standing(await sample)
        if let stored = await sample.value ?? nil { seen.lacksStandby = lacksStandby(stored) }
        // A clock that jumped ahead ends no certificate: peers are judged by both, too.
        seen.nowMilliseconds = min(ChannelClock.system(), subject.store.clock.nowMilliseconds)
        seen.serverEnds = counters.serverCertificateEnds.value
        seen.authorityEnds = counters.authorityEnds.value
        seen.linkEnds = await subject.linkEnds()
        seen.isListening = state.withLock { $0.connections != nil }
        return Readiness(seen)
    }

    /// All metrics, as text.
    public func metrics() async -> String {
        var sample = CenterSample(kind: subject.kind, version: Version.current)
        sample.readiness = await readiness()
        // Read a moment ago.
        let store = await samples.current()
        sample.store = store.value ?? nil
        sample.storeAgeSeconds = store.age.map(Self.seconds)
        sample.connections = state.withLock { $0.connections }?()
        sample.process = .current(startSeconds: startSeconds)
        sample.linkEndsMilliseconds = await subject.linkEnds()
        return MetricsText.render(sample.families(counters))
    }

    private func lacksStandby(_ sample: StoreSample) -> Bool {
        guard !subject.store.isFile else { return false }
        return sample.synchronousStandbys.map { $0 == 0 } ?? subject.expectsStandby
    }

    private func standing(_ seen: TimedLook<StoreSample?>.Seen) -> [LaneAge] {
        // What waits is another center's matter where that does the work.
        guard let sample = seen.value ?? nil, counters.holdsWork.value == 1 || subject.store.isFile else { return [] }
        let givenUp = counters.lost.value(.proofsPutAside) + counters.lost.value(.proofsGivenUp)
        let proofs = ProofEnd.allCases.reduce(givenUp) { $0 + counters.proofs.value($1) }
        return state.withLock { state in
            [
                LaneAge(
                    lane: .analysis,
                    seconds: state.analysis.look(waiting: sample.reportsWaiting, done: counters.analysed.value, now: .now),
                    limit: Self.maxStandstill),
                LaneAge(
                    lane: .proofs, seconds: state.proofs.look(waiting: sample.proofsPending, done: proofs, now: .now),
                    limit: Self.maxStandstill + Self.seconds(subject.proofTime)),
            ]
        }
    }

    private static func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }
}
