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
