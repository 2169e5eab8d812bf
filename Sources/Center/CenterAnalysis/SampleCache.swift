// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import SignatureMaking
import SignatureProving
import Synchronization

/// The newest packets as signatures are made of them, by the sequence number of their report, so that each is decoded
/// once for clustering and proving. A report's packet never changes, and its number is never used again.
final class SampleCache: Sendable {
    /// 1024 packets of at most 8 KiB of code: 8 MiB.
    static let maxSamples = 1024

    private struct Contents {
        var samples: [Int64: Sample] = [:]
        /// The numbers in the order in which they were added.
        var order: [Int64] = []
    }

    private let contents = Mutex(Contents())
    /// Which bytes of them are code.
    let places = CodePlaces()

    func add(_ sample: Sample, of sequence: Int64) {
        contents.withLock { contents in
            guard contents.samples.updateValue(sample, forKey: sequence) == nil else { return }
            contents.order.append(sequence)
            // Half at a time: removing single ones from the front would move the rest each time.
            guard contents.order.count > Self.maxSamples else { return }
            for oldest in contents.order.prefix(Self.maxSamples / 2) { contents.samples[oldest] = nil }
            contents.order.removeFirst(Self.maxSamples / 2)
        }
    }

    /// A cluster's newest packets, newest first.
    func newest(_ limit: Int, of cluster: Int64, in transaction: StoreTransaction) throws -> [Sample] {
        try transaction.newestPackets(of: cluster, limit: limit).compactMap { try sample($0, in: transaction) }
    }

    /// Packets with who sent each, and from where.
    ///
    /// - Parameter holder: who a packet's reporter counts as.
    func samples(
        _ packets: [ReportedPacket], in transaction: StoreTransaction, by holder: (ReportedPacket) -> String
    ) throws -> [Sample] {
        try packets.compactMap { packet in
            var sample = try sample(packet.sequence, in: transaction)
            sample?.sender = packet.reporter
            sample?.reporter = holder(packet)
            sample?.source = packet.address
            return sample
        }
    }

    private func sample(_ sequence: Int64, in transaction: StoreTransaction) throws -> Sample? {
        if let known = contents.withLock({ $0.samples[sequence] }) { return known }
        guard let sample = try Self.read(sequence, in: transaction) else { return nil }
        add(sample, of: sequence)
        return sample
    }

    /// - Returns: `nil` where the packet can't be read: signatures are made of the others.
    private static func read(_ sequence: Int64, in transaction: StoreTransaction) throws -> Sample? {
        do {
            return Sample(try transaction.packet(sequence: sequence))
        } catch is EpitopeError {
            return nil
        }
    }

    /// A cluster's oldest packets, oldest first. They are not kept in memory.
    func oldest(_ limit: Int, of cluster: Int64, in transaction: StoreTransaction) throws -> [Sample] {
        try transaction.oldestPackets(of: cluster, limit: limit).compactMap { try Self.read($0, in: transaction) }
    }
}
