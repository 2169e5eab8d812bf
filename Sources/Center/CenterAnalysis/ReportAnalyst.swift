// SPDX-License-Identifier: Apache-2.0

import Captures
import CenterMetrics
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
/// weighed in one transaction, which requests proofs for the clusters that reached the threshold. The proofs are made outside of any
/// transaction, since that may read captures and scan goodware, and their outcomes are stored in one more transaction. A center that is
/// killed in between finds the request, and proves again. Reports are analysed while proofs are made: a proof may take minutes.
public actor ReportAnalyst {
    /// Reports per transaction, and proofs per round.
    private static let maxGroupSize = 128
    /// How long a proof that was made waits for others to share its transaction.
    private static let maxHold = Duration.milliseconds(20)
    /// How long proofs are made before those that wait are asked for again: what weighs more by then is first.
    private static let maxProving = Duration.milliseconds(250)

    public nonisolated let store: CenterStore
    private var policy: AnalysisPolicy
    private let provers: ProverSource
    private let samples = SampleCache()
    private var proofs: ProofQueue
    private let engineChecks: EngineCheckQueue?
    /// Where proofs are made.
    nonisolated let work = BlockingQueue(label: "epitope.proofs")
    /// Of these one may never end: what it reads may be on a file system that doesn't answer.
    private let bounded = BoundedWork()
    /// Where it is looked at what proofs are made with: that may wait, too.
    private let looks = BlockingQueue(label: "epitope.material")
    /// Whether the goodware could not be asked when it was last looked at.
    private var isGoodwareSilent = false
    private var index: ClusterIndex?
    private var groupSize = GroupSize(most: ReportAnalyst.maxGroupSize)
    /// Proven signatures that the index does not have yet: it takes them before the next group, which may hold it now.
    private var proven: [(cluster: Int64, signature: Signature, source: ReportSource?)] = []
    /// The clusters whose proofs are made now, and those whose proofs were stored since the group of reports that is analysed began: who
    /// joins them meanwhile is not among their supporters yet.
    private var inProof: Set<Int64> = []
    /// Of those the one that is made now.
    private(set) var proving: Int64?
    private var provenMeanwhile: Set<Int64> = []
    /// The clusters whose updates in force may rest on more, since reporters joined.
    private var joined: Set<Int64> = []
    /// Whether those are known that the center had when it ended.
    private var knowsJoined = false
    private var proofTurns = ProofTurns()
    private var lookout = CaptureLookout()
    /// The clusters whose proof was requested by the lookout, which goes on by itself.
    private var lookedFor: Set<Int64> = []
    private let failingReports = FailingItems()
    private let failingProofs = FailingItems()
    /// Benign captures that proofs failed for since they could not be looked at; `nil`: there are none.
    private var unlooked: UnlookedCaptures?
    /// How long they were waited for the last time, while they can't be looked at again and again.
    private var lastPause: Duration?
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

    /// Works by another policy from now on. What was decided stays: a cluster is weighed by it when somebody reports it again, and an update
    /// that was made keeps its lifetime and its targets.
    func follow(_ policy: AnalysisPolicy) {
        self.policy = policy
        proofs.policy = policy
    }

    /// How long a proof may take.
    nonisolated var proofTime: Duration { provers.settings.maxProofTime }

    /// Analyses waiting reports in the order in which they came in, then makes the requested proofs.
    ///
    /// - Returns: how many reports, or if there were none, proofs; 0 when nothing is left to do.
    public func analyse() async throws -> Int {
        let reports = try await analyseReports()
        return max(reports, try await prove())
    }

    /// Makes requested proofs, and finds out what updates rest on; while it does, reports may be analysed.
    ///
    /// - Returns: how many; 0 when nothing is left to do.
    func prove() async throws -> Int {
        try await lookAtCapturesAgain()
        try await lookAtBenignCapturesAgain()
        let proofs = try await proveClusters()
        return max(proofs, try await gradeClusters())
    }

    /// After what time there is something to do without a signal; `nil`: not at all.
    public var nextLook: Duration? {
        [lookout.wait(now: .now), isGoodwareSilent ? provers.hungTime : nil, unlooked?.wait(now: .now)].compactMap(\.self).min()
    }

    /// What keeps signatures from being proven until somebody sees to it; `nil`: nothing does.
    var hindrance: EpitopeError? {
        unlooked.map { unlooked in
            EpitopeError(
                .captureUnreadable,
                "no signature is proven, since benign captures can't be looked at: \(unlooked.captures.joined(separator: ", "))",
                remedy: "make them readable, or move them out of what \"benignCaptures\" names; they are looked at again by themselves")
        }
    }

    /// Drops the clusters in memory, after the store has pruned some.
    public func reload() {
        index = nil
    }
}

extension ReportAnalyst {
    /// Analyses a group of waiting reports.
    ///
    /// - Returns: how many; 0 when none waits.
    func analyseReports() async throws -> Int {
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
                store.counters.lost.add(.reportsPutAside)
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
        provenMeanwhile = []
        let (count, added, shared, known, joined) = try await analyseGroup(only: report, knowing: loadedIndex())
        self.joined.formUnion(joined)
        self.joined.formUnion(inProof.union(provenMeanwhile).intersection(known.keys))
        for (cluster, source) in added { index?.add(cluster: cluster.id, signature: cluster.signature, from: source, isShared: false) }
        for cluster in shared { index?.share(cluster) }
        store.counters.lost.add(.clustersLeftMemory, Int64(index?.takeRemoved() ?? 0))
        // Captures may show now what they did not show of the reports before.
        if !provers.settings.captures.isEmpty { for (cluster, reporter) in known { look(for: cluster, of: reporter) } }
        return count
    }

    private func look(for cluster: Int64, of reporter: String?) {
        if !lookout.add(cluster, of: reporter, now: .now) { store.counters.lost.add(.captureLooksWithoutRoom) }
    }

    /// What a group of reports came to: the clusters that it added, those that a second reporter joined, those that were known, with
    /// who reported them now, and those whose updates may rest on more.
    private typealias Group = (
        count: Int, added: [(cluster: Cluster, source: ReportSource)], shared: [Int64], known: [Int64: String], joined: Set<Int64>
    )

    /// Apart, so that nobody else holds the index when it grows, which would then be copied.
    private func analyseGroup(only report: StoredReport?, knowing known: ClusterIndex) async throws(EpitopeError) -> Group {
        let (policy, samples, limit, begun) = (policy, samples, groupSize.reports, ContinuousClock.now)
        let plan = try await store.snapshot { transaction in
            let reports = try report.map { [$0] } ?? transaction.waitingReports(limit: limit)
            return try ReportPlanner.plan(reports, knowing: known, in: transaction, samples: samples, policy: policy)
        }
        store.began(plan.map(\.report))
        if report == nil { groupSize.took(ContinuousClock.now - begun, for: plan.count) }
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
        // What is proven while it is read may be in it or not.
        if index == nil { index = try await loadIndex() }
        for (cluster, signature, source) in proven {
            index?.add(cluster: cluster, signature: signature, from: source, isShared: source == nil)
        }
        proven = []
        return index ?? newIndex()
    }

    private func newIndex() -> ClusterIndex {
        var limits = ClusterIndex.Limits()
        limits.enough = Signature.Substance(callerWindow: policy.callerWindow)
        return ClusterIndex(limits)
    }

    private func loadIndex() async throws(EpitopeError) -> ClusterIndex {
        var loaded = newIndex()
        for known in try await store.snapshot({ try $0.clusterSignatures(limit: ClusterIndex.Limits().clusters) }) {
            loaded.add(
                cluster: known.cluster.id, signature: known.cluster.signature, from: known.weight.firstSource,
                isShared: known.weight.reporters > 1)
        }
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

    /// Has the proofs made again that failed since captures could not be looked at, where that may be otherwise now.
    private func lookAtBenignCapturesAgain() async throws {
        guard var looked = unlooked, looked.isDue(now: .now) else { return }
        let captures = looked.captures
        let state = try await looks.runUnlessCancelled { [provers] in provers.stateOfBenignCaptures(with: captures) }
        let isWorthIt = looked.look(at: state, now: .now)
        // A proof may have ended meanwhile that noted others.
        guard unlooked?.captures == captures else { return }
        unlooked = isWorthIt ? nil : looked
        lastPause = isWorthIt ? looked.pause : lastPause
        if isWorthIt { material = nil }
    }

    /// Finds out for which signatures those speak who joined clusters, and raises the grade of updates in force.
    ///
    /// Clusters that are to be looked at are in memory; a center that starts looks for them in the store.
    private func gradeClusters() async throws -> Int {
        if !knowsJoined {
            joined.formUnion(try await store.snapshot { try $0.clustersWithMoreReportersThanKnown() })
            knowsJoined = true
        }
        let clusters = joined
        for cluster in clusters.sorted() {
            try Task.checkCancellation()
            // First: who joins meanwhile has it looked at once more.
            joined.remove(cluster)
            do {
                try await grade(cluster)
            } catch let error as EpitopeError where FailingItems.mayBeOfOne(error) {
                // The next reporter has it looked at again.
            } catch {
                joined.insert(cluster)
                throw error
            }
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
        if let limit = policy.publicationsADay { try await store.releasePublications(limit: limit) }
        let current = try await looks.runUnlessCancelled { [provers] in provers.current() }
        let material = current.materialVersion
        // What could not be proven while the goodware was silent is asked for again once it is not.
        isGoodwareSilent = !current.isAnswering
        let requested = try await proofs.pending(requeuedFor: isGoodwareSilent || self.material == material ? nil : material)
        self.material = isGoodwareSilent ? nil : material
        let pending = proofTurns.order(requested).prefix(Self.maxGroupSize)
        var completed: [CompletedVerification] = []
        var failure: EpitopeError?
        var since = ContinuousClock.now
        let deadline = since + Self.maxProving
        for (cluster, holders) in pending {
            try Task.checkCancellation()
            // The others are asked for again, with what came in since and weighs more.
            guard ContinuousClock.now < deadline else { break }
            let task: VerificationTask?
            inProof.insert(cluster)
            do throws(EpitopeError) {
                task = try await proofs.task(for: cluster)
            } catch {
                inProof.remove(cluster)
                try await proofFailed(of: cluster, error)
                failure = error
                continue
            }
            guard let task else {
                inProof.remove(cluster)
                lookedFor.remove(cluster)
                continue
            }
            // Off Swift's pool: it may read captures and scan goodware.
            // A center that is to end doesn't wait for it: it is made again after the next start.
            proving = cluster
            defer { proving = nil }
            let begun = ContinuousClock.now
            let made = try await work.runUnlessCancelled { [bounded, seconds = provers.settings.maxProofTime / .seconds(1)] in
                bounded.run(withinSeconds: seconds) { CompletedVerification(task, by: current.prover) }
            }
            proofTurns.took(ContinuousClock.now - begun, of: holders)
            store.counters.lanes.turn(.proofs)
            guard let made else {
                failure = try await giveUp(task) ?? failure
                // With what there is to prove with then.
                break
            }
            store.counters.proofEnded(made.outcome.proven.isEmpty ? .unproven : .proven, took: ContinuousClock.now - begun)
            completed.append(made)
            // Quick ones share a transaction; none waits for a slow one.
            guard ContinuousClock.now - since > Self.maxHold else { continue }
            failure = try await complete(completed, material: material) ?? failure
            (completed, since) = ([], .now)
        }
        if !completed.isEmpty { failure = try await complete(completed, material: material) ?? failure }
        if let failure { throw failure }
        return pending.count
    }

    /// Stores that a proof took too long. It is made again once the goodware answers, or more is reported.
    ///
    /// - Returns: what that failed with.
    private func giveUp(_ task: VerificationTask) async throws -> EpitopeError? {
        provers.gaveUp()
        store.counters.lost.add(.proofsGivenUp)
        isGoodwareSilent = provers.settings.goodware != nil
        let seconds = provers.settings.maxProofTime.components.seconds
        let check = Proof.Check(
            .absentFromGoodware, .failed,
            "the proof was given up after \(seconds) seconds: what it reads, such as the goodware, does not answer, or it takes too long")
        let failed = ProvenSignature(signature: task.cluster.signature, proof: Proof(checks: [check]))
        let item = try await work.runUnlessCancelled {
            CompletedVerification(task: task, outcome: ProverResult(proven: [], failed: failed))
        }
        return try await complete([item], material: "given up")
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
        inProof.remove(cluster)
        guard FailingItems.mayBeOfOne(error) else { throw error }
        guard failingProofs.failed(cluster) else { return }
        store.counters.lost.add(.proofsPutAside)
        try await store.transaction { try $0.abandonProof(of: cluster, reason: error.description) }
    }

    /// Notes what could not be looked at for a proof.
    private func note(_ captures: [String]) async {
        guard !captures.isEmpty, unlooked == nil else { return }
        let state = try? await looks.runUnlessCancelled { [provers] in provers.stateOfBenignCaptures(with: captures) }
        unlooked = UnlookedCaptures(captures, state: state ?? "", pause: lastPause, now: .now)
    }

    /// Stores the proofs, and adds the proven signatures to the index so that matching packets join their cluster.
    private func keep(_ completed: [CompletedVerification], material: String) async throws(EpitopeError) {
        try await proofs.complete(completed, material: material)
        for item in completed {
            inProof.remove(item.task.cluster.id)
            provenMeanwhile.insert(item.task.cluster.id)
            await note(item.outcome.unlookedCaptures)
            if !item.outcome.proven.isEmpty { lastPause = nil }
            let isLookedFor = lookedFor.remove(item.task.cluster.id) != nil
            if !isLookedFor, !provers.settings.captures.isEmpty,
                item.outcome.proven.contains(where: { $0.proof.check(.onTheWire)?.outcome == .notChecked })
            {
                look(for: item.task.cluster.id, of: item.task.soleSource?.reporter)
            }
            for proven in item.outcome.proven {
                self.proven.append((item.task.cluster.id, proven.signature, item.task.soleSource))
                if engineChecks?.add(proven, of: item.task.cluster.id) == false { store.counters.lost.add(.engineChecksWithoutRoom) }
            }
        }
    }
}

extension CompletedVerification {
    /// Makes a proof, which may read captures and scan goodware.
    fileprivate init(_ task: VerificationTask, by prover: SignatureProver) {
        let outcome =
            task.isVoid
            ? ProverResult(proven: [], failed: nil)
            : prover.prove(task.samples, given: task.cluster.signature, answers: task.answers, withdrawn: task.withdrawn)
        self.init(task: task, outcome: outcome)
    }
}

extension StoredUpdate {
    /// Whether it is in force, and captures have not shown the code.
    fileprivate var isUnseenOnTheWire: Bool { state == .proven && update.proof.check(.onTheWire)?.outcome == .notChecked }
}
