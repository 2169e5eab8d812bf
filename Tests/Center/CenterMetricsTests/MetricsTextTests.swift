// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import Testing

@Suite("Metrics as text")
struct MetricsTextTests {
    private func family(_ samples: [MetricFamily.Sample], help: String = "What it is.") -> MetricFamily {
        MetricFamily(name: "epitope_center_things_total", kind: .counter, help: help, samples: samples)
    }

    @Test func `a family has its help, its type, and its values in the order of their labels`() {
        let text = MetricsText.render([
            family([
                .init(2, [.init("path", "/b"), .init("code", "z")]), .init(1.5, [.init("path", "/a"), .init("code", "z")]),
                .init(3, [.init("path", "/a"), .init("code", "a")]),
            ])
        ])
        #expect(
            text == """
                # HELP epitope_center_things_total What it is.
                # TYPE epitope_center_things_total counter
                epitope_center_things_total{path="/a",code="a"} 3
                epitope_center_things_total{path="/a",code="z"} 1.5
                epitope_center_things_total{path="/b",code="z"} 2

                """)
    }

    @Test func `what would end a label or a line is escaped`() {
        let text = MetricsText.render([family([.init(1, [.init("what", "a\"b\\c\nd\r\ne")])], help: "one\ntwo \\ \"three\"")])
        #expect(text.contains(#"{what="a\"b\\c\nd"# + "\r" + #"\ne"} 1"#), "\(text)")
        #expect(text.contains(##"# HELP epitope_center_things_total one\ntwo \\ "three""## + "\n"))
        #expect(text.utf8.count { $0 == UInt8(ascii: "\n") } == 3)
    }

    @Test(arguments: [
        (0.0, "0"), (-1, "-1"), (9_007_199_254_740_992, "9007199254740992"), (0.25, "0.25"), (1e300, "1e+300"), (.nan, "NaN"),
        (.infinity, "+Inf"), (-.infinity, "-Inf"),
    ])
    func `numbers are written as Prometheus reads them`(value: Double, text: String) {
        #expect(MetricsText.render([family([.init(value)])]).hasSuffix("epitope_center_things_total \(text)\n"))
    }

    @Test func `a family without a value is left out`() {
        #expect(MetricsText.render([family([])]).isEmpty)
    }
}

@Suite("The metrics of a center")
struct CenterFamiliesTests {
    /// Everything that a center can know of itself.
    private func sample() -> CenterSample {
        var sample = CenterSample(kind: "local-center", version: "1.2.3")
        var store = StoreSample()
        store.deliveries[["ids", "pending"]] = 2
        store.forwards["pending"] = 1
        store.notices["soc"] = 1
        store.quotas["updates"] = .init(uses: 1, limit: 3, waiting: 4)
        (store.limitBytes, store.diskFreeBytes) = (1 << 30, 1 << 31)
        sample.store = store
        sample.storeAgeSeconds = 0.5
        sample.connections = ConnectionUse(identified: 5, unidentified: 1, places: 100)
        sample.process.openDescriptors = 20
        sample.process.maxDescriptors = 1024
        sample.process.memoryBytes = 1 << 26
        sample.process.cpuSeconds = 1.5
        sample.process.startSeconds = 1_700_000_000
        sample.linkEndsMilliseconds = 1_700_000_000_000
        sample.readiness = Readiness(reasons: [.init(.suricataLost, cause: "suricata-stopped")])
        return sample
    }

    private func counters() -> CenterCounters {
        let counters = CenterCounters()
        counters.refused.add("/v1/packets", "revoked")
        counters.deferred.add("/v1/packets", "store-busy")
        counters.refusedTokens.add("token-unknown")
        counters.events.declare([["stored"]])
        counters.deliveries.declare([["ids", "delivered"]])
        counters.forwards.declare([["delivered"]])
        counters.peerPolls.declare([["north", "news"]])
        counters.notices.add("soc", "told")
        counters.clusters.set(7)
        counters.serverCertificateEnds.set(1)
        counters.authorityEnds.set(1)
        counters.lanes.start(.analysis, limit: .seconds(1))
        return counters
    }

    @Test func `every metric has a value, and as many labels as it says`() {
        for (metric, family) in zip(CenterMetric.allCases, sample().families(counters())) {
            #expect(!family.samples.isEmpty, "\(metric)")
            for sample in family.samples { #expect(sample.labels.map(\.name) == metric.description.labels, "\(metric)") }
            #expect(Set(family.samples.map(\.labels)).count == family.samples.count, "\(metric)")
        }
    }

    @Test func `names follow Prometheus's conventions`() {
        for metric in CenterMetric.allCases {
            let name = metric.rawValue
            #expect(name.contains(/^(epitope_center|process)_[a-z_]+[a-z]$/), "\(name)")
            #expect(!name.contains(/_(ms|milliseconds|megabytes|mb|days|percent|count)(_|$)/), "\(name): base units")
            #expect(metric.description.help.hasSuffix(".") || metric.description.help.contains(";"), "\(name)")
            if name.contains("seconds") { #expect(metric.description.unit == "seconds", "\(name)") }
        }
        #expect(Set(CenterMetric.allCases.map(\.rawValue)).count == CenterMetric.allCases.count)
    }

    @Test func `a receipt of what was known counts apart`() {
        let counters = counters()
        for _ in 0..<3 { counters.acknowledged.add(.packet) }
        counters.known.add(.packet)
        let text = MetricsText.render(sample().families(counters))
        #expect(text.contains("epitope_center_messages_acknowledged_total{kind=\"packet\",was=\"known\"} 1\n"))
        #expect(text.contains("epitope_center_messages_acknowledged_total{kind=\"packet\",was=\"new\"} 2\n"))
        #expect(text.contains("epitope_center_condition{code=\"suricata-lost\"} 1\n"))
        #expect(text.contains("epitope_center_condition{code=\"disk-full\"} 0\n"))
        #expect(text.contains("epitope_center_ready 0\n"))
    }

    @Test func `the same values give the same text`() {
        let (sample, counters) = (sample(), CenterCounters())
        for path in ["/v1/packets", "/v1/enroll", "/v1/renew", "other"] {
            for code in ["b", "a", "c"] { counters.refused.add(path, code) }
        }
        #expect(MetricsText.render(sample.families(counters)) == MetricsText.render(sample.families(counters)))
    }

    @Test func `codes without end are counted in bounded room`() {
        let counter = CounterByText()
        for number in 0..<10_000 { counter.add("/v1/packets", "code-\(number)") }
        #expect(counter.values.count <= 257)
        #expect(counter.values.values.reduce(0, +) == 10_000)
    }
}
