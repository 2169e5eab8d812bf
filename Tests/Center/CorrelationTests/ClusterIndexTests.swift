// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import Signatures
import TestSupport
import Testing

@Suite("Like packets find their cluster")
struct ClusterIndexTests {
    private let signature = Signature(tokens: [.init(bytes: Samples.callerWindow)], context: .any)
    private let other = Signature(tokens: [.init(bytes: Array(100..<132))], context: .any)

    @Test func `the first packet of its kind finds no cluster`() {
        #expect(ClusterIndex().cluster(for: signature, sample: Samples.code.bytes) == nil)
    }

    @Test func `an equal window is similar`() {
        var index = ClusterIndex()
        index.add(cluster: 7, signature: signature)
        #expect(index.cluster(for: signature, sample: []) == 7)
    }

    @Test(arguments: [0, 1, 8161])
    func `code that contains a cluster's signature is similar`(offset: Int) {
        var index = ClusterIndex()
        index.add(cluster: 7, signature: signature)
        let code = [UInt8](repeating: 0x41, count: offset) + Samples.callerWindow
        #expect(index.cluster(for: other, sample: code) == 7)
    }

    @Test func `unrelated code is not similar`() {
        var index = ClusterIndex()
        index.add(cluster: 7, signature: signature)
        var changed = Samples.callerWindow
        changed[20] ^= 1
        #expect(index.cluster(for: other, sample: changed) == nil)
        #expect(index.cluster(for: other, sample: [1, 2, 3]) == nil)
    }

    @Test func `the oldest of several takes the packet in whatever order they came`() {
        let code = Samples.callerWindow + other.tokens[0].bytes
        for order in [[3, 5], [5, 3]] as [[Int64]] {
            var index = ClusterIndex()
            for cluster in order { index.add(cluster: cluster, signature: cluster == 3 ? other : signature) }
            let third = Signature(tokens: [.init(bytes: Array(40..<72))], context: .any)
            #expect(index.cluster(for: third, sample: code) == 3)
        }
    }

    @Test func `filler bytes draw nothing together`() {
        let fill = Signature(tokens: [.init(bytes: Array(repeating: 0x90, count: 32))], context: .any)
        var index = ClusterIndex()
        index.add(cluster: 1, signature: fill)
        let code = [UInt8](repeating: 0x90, count: 64) + Samples.callerWindow
        #expect(index.cluster(for: signature, sample: code) == nil)
        #expect(index.cluster(for: fill, sample: code) == 1)
    }

    @Test func `short first tokens are found too`() {
        var index = ClusterIndex()
        index.add(
            cluster: 4, signature: Signature(tokens: [.init(bytes: [1, 2]), .init(bytes: Array(3..<30))], context: .any))
        #expect(index.cluster(for: other, sample: [9, 1, 2, 77] + Array(3..<30)) == 4)
    }
}

@Suite("The index of clusters is bounded")
struct ClusterIndexBoundsTests {
    private func signature(_ number: Int) -> Signature {
        var random = SeededGenerator(seed: UInt64(number))
        let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) }
        return Signature(tokens: [.init(bytes: bytes)], context: SignatureContext(transport: .tcp, ports: [80], direction: .toService))
    }

    private func source(_ reporter: String, at machine: String? = nil) -> ReportSource {
        ReportSource(reporter: reporter, machine: machine)
    }

    private func limits(clusters: Int = 1000, ofReporter: Int = 10, ofKey: Int = 64) -> ClusterIndex.Limits {
        var limits = ClusterIndex.Limits()
        (limits.clusters, limits.clustersOfReporter, limits.clustersOfKey) = (clusters, ofReporter, ofKey)
        return limits
    }

    @Test func `one reporter's clusters give way to its next ones, and to nobody else's`() {
        var index = ClusterIndex(limits())
        index.add(cluster: 1, signature: signature(1), from: source("honest"))
        for number in 2...100 { index.add(cluster: Int64(number), signature: signature(number), from: source("intruder")) }
        #expect(index.count == 11)
        #expect(index.exact(signature(1)) == 1)
        #expect(index.exact(signature(90)) == nil)
        #expect(index.cluster(for: signature(500), sample: [1, 2] + signature(91).tokens[0].bytes) == 91)
        #expect(index.cluster(for: signature(500), sample: [1, 2] + signature(90).tokens[0].bytes) == nil)
    }

    @Test func `what a second reporter joined stays`() {
        var index = ClusterIndex(limits())
        index.add(cluster: 1, signature: signature(1), from: source("intruder"))
        index.share(1)
        for number in 2...100 { index.add(cluster: Int64(number), signature: signature(number), from: source("intruder")) }
        #expect(index.exact(signature(1)) == 1)
    }

    @Test func `all reporters together have a bound`() {
        var index = ClusterIndex(limits(clusters: 80))
        for number in 1...1000 {
            index.add(cluster: Int64(number), signature: signature(number), from: source("host-\(number)"))
            #expect(index.count <= 80)
        }
        #expect(index.exact(signature(1000)) == 1000)
        #expect(index.exact(signature(1)) == nil)
        #expect(index.newest(of: signature(1).context).map(\.cluster) == (985...1000).reversed())
    }

    @Test func `under one key only so many are compared`() {
        var index = ClusterIndex(limits(ofReporter: 1000, ofKey: 4))
        let start = signature(1).tokens[0].bytes.prefix(8)
        // The longest run of each begins with the same eight bytes.
        let all = (2...20).map { number -> Signature in
            var signature = signature(number)
            signature.tokens = [.init(bytes: Array(start) + Array(signature.tokens[0].bytes.dropFirst(8)))]
            return signature
        }
        for (number, signature) in all.enumerated() { index.add(cluster: Int64(number + 1), signature: signature) }
        #expect(index.nearest(to: all[18].tokens[0].bytes) == 19)
        #expect(index.nearest(to: all[0].tokens[0].bytes) == nil)
        #expect(index.exact(all[0]) == 1)
    }

    @Test func `under one key a reporter's clusters displace no others`() {
        var index = ClusterIndex(limits(ofReporter: 1000, ofKey: 4))
        let start = Array(signature(1).tokens[0].bytes.prefix(8))
        let all = (2...20).map { number -> Signature in
            var signature = signature(number)
            signature.tokens = [.init(bytes: start + Array(signature.tokens[0].bytes.dropFirst(8)))]
            return signature
        }
        for (number, signature) in all.enumerated() {
            let reporter = [0: "first", 1: "honest"][number] ?? "intruder"
            index.add(cluster: Int64(number + 1), signature: signature, from: source(reporter), isShared: number == 0)
        }
        #expect(index.nearest(to: all[0].tokens[0].bytes) == 1)
        #expect(index.nearest(to: all[1].tokens[0].bytes) == 2)
        #expect(index.nearest(to: all[5].tokens[0].bytes) == nil)
        #expect(index.nearest(to: all[18].tokens[0].bytes) == 19)
        index.add(cluster: 50, signature: signature(1), from: source("another"))
        #expect(index.nearest(to: signature(1).tokens[0].bytes) == 50)
        #expect(index.nearest(to: all[0].tokens[0].bytes) == 1, "several reported it")
    }

    /// 128 names of 256 clusters each are all that there is room for.
    @Test func `a machine with many names displaces nobody's clusters but its own`() {
        var index = ClusterIndex(limits(clusters: 800, ofReporter: 8))
        var number = 0
        func add(_ reporter: String, at machine: String) {
            number += 1
            index.add(cluster: Int64(number), signature: signature(number), from: source(reporter, at: machine))
        }
        for host in 0..<40 { add("host-\(host)", at: "10.0.0.\(host)") }
        for name in 0..<200 { for _ in 0..<8 { add("name-\(name)", at: "10.0.1.1") } }
        #expect(index.count <= 800)
        for honest in 1...40 { #expect(index.exact(signature(honest)) == Int64(honest)) }
        #expect(index.exact(signature(number)) == Int64(number), "the newest is known")
        // One who comes later has room, too.
        add("late", at: "10.0.2.1")
        for _ in 0..<900 { add("name-0", at: "10.0.1.1") }
        #expect(index.exact(signature(number - 900)) == Int64(number - 900))
    }

    @Test func `where many have as much as each other the oldest go, and what several reported last`() {
        var index = ClusterIndex(limits(clusters: 80))
        for number in 1...80 {
            index.add(
                cluster: Int64(number), signature: signature(number), from: source("host-\(number % 4)", at: "m\(number % 4)"),
                isShared: number <= 8)
        }
        for number in 81...100 { index.add(cluster: Int64(number), signature: signature(number), from: source("new-\(number)")) }
        #expect((1...8).allSatisfy { index.exact(signature($0)) == Int64($0) })
        #expect((81...100).allSatisfy { index.exact(signature($0)) == Int64($0) })
        #expect(index.exact(signature(9)) == nil && index.exact(signature(80)) == 80)
    }

    /// Code that holds the windows of ever so many clusters of one is still compared with those of others.
    @Test func `a packet is compared with clusters of everybody`() {
        var limits = limits(ofReporter: 1000)
        limits.candidates = 8
        var index = ClusterIndex(limits)
        let decoys = (1...100).map { number -> Signature in
            var decoy = signature(number)
            // It has the key of what the packet holds, and does not match it.
            decoy.tokens = [.init(bytes: decoy.tokens[0].bytes.dropLast() + [decoy.tokens[0].bytes[31] ^ 1])]
            return decoy
        }
        for (number, decoy) in decoys.enumerated() {
            index.add(cluster: Int64(number + 1), signature: decoy, from: source("name-\(number)", at: "intruder"))
        }
        index.add(cluster: 200, signature: signature(200), from: source("honest", at: "honest"))
        index.add(cluster: 201, signature: signature(201), from: source("name-1", at: "intruder"), isShared: true)
        let held = (1...100).flatMap { signature($0).tokens[0].bytes }
        #expect(index.nearest(to: held + signature(200).tokens[0].bytes) == 200)
        #expect(index.nearest(to: held + signature(201).tokens[0].bytes) == 201)
        #expect(index.nearest(to: held) == nil)
    }

    @Test func `of those that came in the same way the newest of each are compared, and some that several reported`() {
        var index = ClusterIndex(limits(ofReporter: 1000))
        index.add(cluster: 1, signature: signature(1), from: source("a", at: "a"), isShared: true)
        index.add(cluster: 2, signature: signature(2), from: source("b", at: "b"))
        for number in 3...60 {
            index.add(cluster: Int64(number), signature: signature(number), from: source("name-\(number)", at: "intruder"))
        }
        let candidates = index.newest(of: signature(1).context)
        #expect(ClusterIndex.Candidate.choose(from: candidates, limit: 4).map(\.cluster) == [60, 2, 1, 59])
        #expect(ClusterIndex.Candidate.choose(from: candidates, limit: 1).map(\.cluster) == [60])
        #expect(ClusterIndex.Candidate.choose(from: [], limit: 4) == [])
    }
}
