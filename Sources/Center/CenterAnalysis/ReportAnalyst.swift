// SPDX-License-Identifier: Apache-2.0

public import CenterStore
import Correlation
import EpitopeModel
import Scheduling
import SignatureMaking
public import SignatureProving
import Signatures

/// Takes stored reports to proven updates; the same for the local and the global center.
///
/// A group of reports is decoded, assessed and clustered on a snapshot of the store, on the threads that read it, and written and
/// weighed in one transaction, which requests proofs for the clusters that reached the threshold. The proofs are made outside of any transaction, since that may read captures and scan
/// goodware, and their outcomes are stored in one more transaction. A center that is killed in between finds the
/// request, and proves again.
public actor ReportAnalyst {
    /// Reports per transaction, and proofs per round.
    private static let maxGroupSize = 128
    /// How long a proof that was made waits for others to share its transaction.
    private static let maxHold = Duration.milliseconds(20)
    /// How long proofs are made before reports are looked at again: proofs of junk don't keep a real attack waiting.
    private static let maxProving = Duration.milliseconds(250)

    public nonisolated let store: CenterStore
    private let policy: AnalysisPolicy
    private let provers: ProverSource
    private let samples = SampleCache()
    private let proofs: ProofQueue
    private let engineChecks: EngineCheckQueue?
    private let work = BlockingQueue(label: "epitope.analysis")
    private var index: ClusterIndex?
    /// The clusters whose updates in force may rest on more, since reporters joined; `nil`: not known yet.
    private var joined: Set<Int64>?
    private var lookout = CaptureLookout()
    /// The clusters whose proof was requested by the lookout, which goes on by itself.
    private var lookedFor: Set<Int64> = []
    private let failingReports = FailingItems()
    private let failingProofs = FailingItems()
    /// Names what the clusters without a proven signature were last tried with.
    private var material: String?

    /// - Parameter engineChecks: takes the signatures over whose carriers an engine is to run; `nil`: there is none.
    public init(store: CenterStore, policy: AnalysisPolicy, provers: ProverSource, engineChecks: EngineCheckQueue? = nil) {
        self.store = store
        self.policy = policy
        self.provers = provers
        self.engineChecks = engineChecks
        proofs = ProofQueue(store: store, policy: policy, samples: samples)
    }

    /// Analyses waiting reports in the order in which they came in, then makes the requested proofs.
    ///
    /// - Returns: how many reports, or if there were none, proofs; 0 when nothing is left to do.
    public func analyse() async throws -> Int {
        let reports = try await analyseReports()
        try await lookAtCapturesAgain()
        let proofs = try await proveClusters()
        return max(reports, proofs, try await gradeClusters())
    }

    /// After what time there is something to do without a signal; `nil`: not at all.
    public var nextLook: Duration? { lookout.wait(now: .now) }

    /// Drops the clusters in memory, after the store has pruned some.
    public func reload() {
        index = nil
    }
}

extension ReportAnalyst {
    private func analyseReports() async throws -> Int {
        do {
            return try await analyseGroup(only: nil)
        } catch  where FailingItems.mayBeOfOne(error) {
            return try await analyseOneByOne()
        }
    }

    /// Analyses the group that failed one by one, and puts those aside that fail again and again by themselves.
    ///
    /// - Throws: what the last of them failed with, after all were tried.
    private func analyseOneByOne() async throws -> Int {
        let waiting = try await store.snapshot { try $0.waitingReports(limit: Self.maxGroupSize) }
        var failure: EpitopeError?
        for report in waiting {
            try Task.checkCancellation()
            do throws(EpitopeError) {
                _ = try await analyseGroup(only: report)
                failingReports.succeeded(report.sequence)
            } catch {
                guard FailingItems.mayBeOfOne(error) else { throw error }
                failure = error
                // Clusters in memory may not be those of the store.
                index = nil
                guard failingReports.failed(report.sequence) else { continue }
                try await store.transaction { transaction in
                    try transaction.markUnusable(report, reason: error.description)
                    try transaction.record(.unusable, report.id, "its analysis failed \(FailingItems.maxAttempts) times: \(error)")
                }
            }
        }
        if let failure { throw failure }
        return waiting.count
    }

    /// - Parameter report: that one alone; `nil`: those that wait.
    private func analyseGroup(only report: StoredReport?) async throws(EpitopeError) -> Int {
        let (count, added, shared, known, joined) = try await analyseGroup(only: report, knowing: loadedIndex())
        self.joined?.formUnion(joined)
        for (cluster, source) in added { index?.add(cluster: cluster.id, signature: cluster.signature, from: source, isShared: false) }
        for cluster in shared { index?.share(cluster) }
        // Captures may show now what they did not show of the reports before.
        if !provers.settings.captures.isEmpty { for (cluster, reporter) in known { lookout.add(cluster, of: reporter, now: .now) } }
        return count
    }

    /// What a group of reports came to: the clusters that it added, those that a second reporter joined, those that were known, with
    /// who reported them now, and those whose updates may rest on more.
    private typealias Group = (
        count: Int, added: [(cluster: Cluster, source: ReportSource)], shared: [Int64], known: [Int64: String], joined: Set<Int64>
    )

    /// Apart, so that nobody else holds the index when it grows, which would then be copied.
    private func analyseGroup(only report: StoredReport?, knowing known: ClusterIndex) async throws(EpitopeError) -> Group {
        let (policy, samples) = (policy, samples)
        let plan = try await store.snapshot { transaction in
            var planner = ReportPlanner(transaction: transaction, known: known, samples: samples, policy: policy)
            return try (report.map { [$0] } ?? transaction.waitingReports(limit: Self.maxGroupSize)).map { try planner.plan($0) }
        }
        store.began(plan.map(\.report))
        guard !plan.isEmpty else { return (0, [], [], [:], []) }
        let reported = plan.compactMap { planned -> (Int64, String)? in
            if case .known(let cluster) = planned.destination { (cluster, planned.source.holder) } else { nil }
        }
        return try await store.transaction { transaction in
            var analysis = ReportAnalysis(transaction: transaction, policy: policy)
            for planned in plan { try analysis.analyse(planned) }
            return (plan.count, analysis.added, analysis.shared, Dictionary(reported) { first, _ in first }, analysis.joined)
        }
    }

    private func loadedIndex() async throws(EpitopeError) -> ClusterIndex {
        if let index { return index }
        var loaded = ClusterIndex()
        for known in try await store.snapshot({ try $0.clusterSignatures(limit: ClusterIndex.Limits().clusters) }) {
            loaded.add(
                cluster: known.cluster.id, signature: known.cluster.signature, from: known.weight.firstSource,
                isShared: known.weight.reporters > 1)
        }
        index = loaded
        return loaded
    }
}

extension ReportAnalyst {
    /// Requests the proofs again of clusters whose captures are due for another look, where rules still wait for what they show.
    private func lookAtCapturesAgain() async throws {
        let due = lookout.takeDue(now: .now)
        guard !due.isEmpty else { return }
        let requested = try await store.transaction { transaction in
            try due.filter { id in
                guard let cluster = try transaction.readableCluster(id),
                    try transaction.latestUpdates(of: cluster).contains(where: { $0.cluster == id && $0.isUnseenOnTheWire })
                else { return false }
                try transaction.requestProof(of: id)
                return true
            }
        }
        lookedFor.formUnion(requested)
        for other in Set(due).subtracting(requested) { lookout.remove(other) }
    }

    /// Finds out for which signatures those speak who joined clusters, and raises the grade of updates in force.
    ///
    /// Clusters that are to be looked at are in memory; a center that starts looks for them in the store.
    private func gradeClusters() async throws -> Int {
        if joined == nil { joined = Set(try await store.snapshot { try $0.clustersWithMoreReportersThanKnown() }) }
        let clusters = joined ?? []
        for cluster in clusters.sorted() {
            try Task.checkCancellation()
            do {
                try await grade(cluster)
            } catch let error as EpitopeError where FailingItems.mayBeOfOne(error) {
                // The next reporter has it looked at again.
            }
            joined?.remove(cluster)
        }
        return clusters.count
    }

    private func grade(_ cluster: Int64) async throws {
        guard let task = try await proofs.task(for: cluster) else { return }
        let item = try await work.runUnlessCancelled {
            CompletedVerification(task: task, outcome: ProverResult(proven: [], failed: nil))
        }
        try await store.transaction { [policy] transaction in
            try GradeKeeper(transaction: transaction, policy: policy).raise(by: item, of: task.cluster)
        }
    }

    private func proveClusters() async throws -> Int {
        let (prover, material) = provers.current()
        let pending = try await proofs.pending(limit: Self.maxGroupSize, requeuedFor: self.material == material ? nil : material)
        self.material = material
        var completed: [CompletedVerification] = []
        var failure: EpitopeError?
        var since = ContinuousClock.now
        let deadline = since + Self.maxProving
        for cluster in pending {
            try Task.checkCancellation()
            // The others are asked for again, with what came in since and weighs more.
            guard ContinuousClock.now < deadline else { break }
            let task: VerificationTask?
            do throws(EpitopeError) {
                task = try await proofs.task(for: cluster)
            } catch {
                try await proofFailed(of: cluster, error)
                failure = error
                continue
            }
            guard let task else {
                lookedFor.remove(cluster)
                continue
            }
            // Off Swift's pool: it may read captures and scan goodware.
            // A center that is to end doesn't wait for it: it is made again after the next start.
            let item = try await work.runUnlessCancelled { [prover] in
                let outcome =
                    task.isVoid
                    ? ProverResult(proven: [], failed: nil)
                    : prover.prove(task.samples, given: task.cluster.signature, answers: task.answers, withdrawn: task.withdrawn)
                return CompletedVerification(task: task, outcome: outcome)
            }
            completed.append(item)
            // Quick ones share a transaction; none waits for a slow one.
            guard ContinuousClock.now - since > Self.maxHold else { continue }
            failure = try await complete(completed, material: material) ?? failure
            (completed, since) = ([], .now)
        }
        if !completed.isEmpty { failure = try await complete(completed, material: material) ?? failure }
        if let failure { throw failure }
        return pending.count
    }

    /// Stores the proofs; where that fails for all together, one by one.
    ///
    /// - Returns: what the last one failed with.
    private func complete(_ completed: [CompletedVerification], material: String) async throws -> EpitopeError? {
        do throws(EpitopeError) {
            try await keep(completed, material: material)
            return nil
        } catch {
            guard FailingItems.mayBeOfOne(error) else { throw error }
        }
        var failure: EpitopeError?
        for item in completed {
            do throws(EpitopeError) {
                try await keep([item], material: material)
                failingProofs.succeeded(item.task.cluster.id)
            } catch {
                try await proofFailed(of: item.task.cluster.id, error)
                failure = error
            }
        }
        return failure
    }

    /// Puts a proof aside that fails again and again by itself: the attack's next reports ask for another one.
    ///
    /// - Throws: the failure, where it is not the proof's.
    private func proofFailed(of cluster: Int64, _ error: EpitopeError) async throws {
        guard FailingItems.mayBeOfOne(error) else { throw error }
        guard failingProofs.failed(cluster) else { return }
        try await store.transaction { try $0.abandonProof(of: cluster, reason: error.description) }
    }

    /// Stores the proofs, and adds the proven signatures to the index so that matching packets join their cluster.
    private func keep(_ completed: [CompletedVerification], material: String) async throws(EpitopeError) {
        try await proofs.complete(completed, material: material)
        for item in completed {
            let isLookedFor = lookedFor.remove(item.task.cluster.id) != nil
            if !isLookedFor, !provers.settings.captures.isEmpty,
                item.outcome.proven.contains(where: { $0.proof.check(.onTheWire)?.outcome == .notChecked })
            {
                let reporters = Set(item.task.samples.map(\.reporter))
                lookout.add(item.task.cluster.id, of: reporters.count == 1 ? reporters.first ?? nil : nil, now: .now)
            }
            for proven in item.outcome.proven {
                index?.add(cluster: item.task.cluster.id, signature: proven.signature, from: nil, isShared: true)
                engineChecks?.add(proven, of: item.task.cluster.id)
            }
        }
    }
}

extension StoredUpdate {
    /// Whether it is in force, and captures have not shown the code.
    fileprivate var isUnseenOnTheWire: Bool { state == .proven && update.proof.check(.onTheWire)?.outcome == .notChecked }
}
