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

    private func limits(clusters: Int = 1000, ofReporter: Int = 10, ofKey: Int = 64) -> ClusterIndex.Limits {
        var limits = ClusterIndex.Limits()
        (limits.clusters, limits.clustersOfReporter, limits.clustersOfKey) = (clusters, ofReporter, ofKey)
        return limits
    }

    @Test func `one reporter's clusters give way to its next ones, and to nobody else's`() {
        var index = ClusterIndex(limits())
        index.add(cluster: 1, signature: signature(1), soleReporter: "honest")
        for number in 2...100 { index.add(cluster: Int64(number), signature: signature(number), soleReporter: "intruder") }
        #expect(index.count == 11)
        #expect(index.exact(signature(1)) == 1)
        #expect(index.exact(signature(90)) == nil)
        #expect(index.cluster(for: signature(500), sample: [1, 2] + signature(91).tokens[0].bytes) == 91)
        #expect(index.cluster(for: signature(500), sample: [1, 2] + signature(90).tokens[0].bytes) == nil)
    }

    @Test func `what a second reporter joined stays`() {
        var index = ClusterIndex(limits())
        index.add(cluster: 1, signature: signature(1), soleReporter: "intruder")
        index.share(1)
        for number in 2...100 { index.add(cluster: Int64(number), signature: signature(number), soleReporter: "intruder") }
        #expect(index.exact(signature(1)) == 1)
    }

    @Test func `all reporters together have a bound`() {
        var index = ClusterIndex(limits(clusters: 80))
        for number in 1...1000 {
            index.add(cluster: Int64(number), signature: signature(number), soleReporter: "host-\(number)")
            #expect(index.count <= 80)
        }
        #expect(index.exact(signature(1000)) == 1000)
        #expect(index.exact(signature(1)) == nil)
        #expect(index.newest(of: signature(1).context, limit: 4) == [1000, 999, 998, 997])
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
            let reporter = [0: nil, 1: "honest"][number] ?? "intruder"
            index.add(cluster: Int64(number + 1), signature: signature, soleReporter: reporter)
        }
        #expect(index.nearest(to: all[0].tokens[0].bytes) == 1)
        #expect(index.nearest(to: all[1].tokens[0].bytes) == 2)
        #expect(index.nearest(to: all[5].tokens[0].bytes) == nil)
        #expect(index.nearest(to: all[18].tokens[0].bytes) == 19)
        index.add(cluster: 50, signature: signature(1), soleReporter: "another")
        #expect(index.nearest(to: signature(1).tokens[0].bytes) == 50)
        #expect(index.nearest(to: all[0].tokens[0].bytes) == 1, "several reported it")
    }
}
