// SPDX-License-Identifier: Apache-2.0

extension CenterSample {
    /// Every metric with its values, in the order in which ``CenterMetric`` lists them.
    public func families(_ counters: CenterCounters) -> [MetricFamily] {
        CenterMetric.allCases.map { metric in
            let text = metric.description
            return MetricFamily(
                name: metric.rawValue, kind: metric.kind, help: text.help,
                samples: samples(of: metric, counters).map { values, value in
                    MetricFamily.Sample(value, zip(text.labels, values).map { MetricFamily.Label($0, $1) })
                })
        }
    }

    /// Each value with those of its labels.
    private typealias Values = [([String], Double)]

    /// The values of a metric.
    private func samples(of metric: CenterMetric, _ counters: CenterCounters) -> Values {
        switch metric {
        case .received: Self.byCase(counters.received)
        case .acknowledged:
            MessageKind.allCases.flatMap { kind in
                let known = counters.known.value(kind)
                return [
                    ([kind.rawValue, "known"], Double(known)),
                    ([kind.rawValue, "new"], Double(max(0, counters.acknowledged.value(kind) - known))),
                ]
            }
        case .receivedBytes: Self.one(counters.receivedBytes.value)
        case .refused: Self.byText(counters.refused)
        case .deferred: Self.byText(counters.deferred)
        case .failed: Self.one(counters.failed.value)
        case .codeWanted: Self.one(counters.codeWanted.value)
        case .extracted: Self.byCase(counters.extracted)
        case .certificatesIssued: Self.byCase(counters.issued)
        case .tokensRefused: Self.byText(counters.refusedTokens)
        case .connectionsOpened: Self.one(counters.connectionsOpened.value)
        case .connectionsEnded: Self.byCase(counters.connectionsEnded)
        case .connections:
            connections.map { [(["identified"], Double($0.identified)), (["unidentified"], Double($0.unidentified))] } ?? []
        case .connectionPlaces: Self.one(connections?.places)
        case .analysed: Self.one(counters.analysed.value)
        case .clusters: Self.one(counters.clusters.value < 0 ? nil : counters.clusters.value)
        case .proofs: Self.byCase(counters.proofs)
        case .proofSeconds: [([], Double(counters.proofMicroseconds.value) / 1e6)]
        case .deliveries: Self.byText(counters.deliveries)
        case .forwards: Self.byText(counters.forwards)
        case .notices: Self.byText(counters.notices)
        case .polls: Self.one(counters.polls.value)
        case .subscribers: Self.one(counters.subscribersWaiting.value)
        case .peersRead: Self.one(counters.peersRead.value)
        case .peerPolls: Self.byText(counters.peerPolls)
        case .peerEntries: Self.byCase(counters.peerEntries)
        case .events: Self.byText(counters.events)
        case .removed: Self.byCase(counters.removed)
        case .lost: Self.byCase(counters.lost)
        case .certificateEnds: certificateEnds(counters)
        case .failedSamples: Self.one(counters.failedSamples.value)
        case .laneAge: counters.lanes.ages.map { ([$0.lane.rawValue], $0.seconds) }
        case .holdsWork: Self.one(counters.holdsWork.value)
        case .scrapes: Self.one(counters.scrapes.value)
        case .buildInfo: [([version, kind], 1)]
        case .ready: Self.one(readiness.map { $0.isReady ? 1 : 0 })
        case .reasons: conditions
        case .sampleAge: storeAgeSeconds.map { [([], $0)] } ?? []
        case .openDescriptors: Self.one(process.openDescriptors)
        case .maxDescriptors: Self.one(process.maxDescriptors)
        case .memoryBytes: Self.one(process.memoryBytes)
        case .cpuSeconds: process.cpuSeconds.map { [([], $0)] } ?? []
        case .startTime: process.startSeconds.map { [([], $0)] } ?? []
        case .revocations, .reportsWaiting, .behind, .proofsPending, .deliveriesWaiting, .forwardsWaiting, .withdrawals, .quotaUses,
            .quotaLimit, .quotaWaiting, .noticesWaiting,
            .feedSequence, .subscriptionSequence, .storeBytes, .storeUsedBytes, .storeLimitBytes, .walBytes,
            .diskFreeBytes:
            store.map { Self.samples(of: metric, $0) } ?? []
        }
    }

    private static func samples(of metric: CenterMetric, _ store: StoreSample) -> Values {
        switch metric {
        case .revocations: one(store.revocations)
        case .reportsWaiting: one(store.reportsWaiting)
        case .behind: [([], store.behindSeconds)]
        case .proofsPending: one(store.proofsPending)
        case .deliveriesWaiting: store.deliveries.map { ($0, Double($1)) }
        case .forwardsWaiting: store.forwards.map { ([$0], Double($1)) }
        case .withdrawals: one(store.withdrawals)
        case .quotaUses: store.quotas.map { ([$0], Double($1.uses)) }
        case .quotaLimit: store.quotas.map { ([$0], Double($1.limit)) }
        case .quotaWaiting: store.quotas.map { ([$0], Double($1.waiting)) }
        case .noticesWaiting: store.notices.sorted { $0.key < $1.key }.map { ([$0.key], Double($0.value)) }
        case .feedSequence: one(store.feedSequence)
        case .subscriptionSequence: one(store.subscriptionSequence)
        case .storeBytes: one(store.fileBytes)
        case .storeUsedBytes: one(store.usedBytes)
        case .storeLimitBytes: one(store.limitBytes)
        case .walBytes: one(store.walBytes)
        case .diskFreeBytes: one(store.diskFreeBytes)
        default: []
        }
    }

    private func certificateEnds(_ counters: CenterCounters) -> Values {
        let ends = [
            ("server", counters.serverCertificateEnds.value), ("authority", counters.authorityEnds.value),
            ("link", linkEndsMilliseconds ?? 0),
        ]
        return ends.filter { $0.1 > 0 }.map { ([$0.0], Double($0.1) / 1000) }
    }

    /// All that there can be, so that an alarm ends when its reason does.
    private var conditions: Values {
        guard let readiness else { return [] }
        let codes = Set(readiness.reasons.map(\.code))
        return Readiness.Code.allCases.map { ([$0.rawValue], codes.contains($0) ? 1 : 0) }
    }

    private static func one(_ value: (some BinaryInteger)?) -> Values { value.map { [([], Double($0))] } ?? [] }

    private static func byCase<Case>(_ counter: CounterByCase<Case>) -> Values {
        Case.allCases.map { ([$0.rawValue], Double(counter.value($0))) }
    }

    private static func byText(_ counter: CounterByText) -> Values { counter.values.map { ($0, Double($1)) } }
}
