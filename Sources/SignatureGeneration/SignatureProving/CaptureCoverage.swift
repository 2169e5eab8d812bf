// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SignatureMaking
import Signatures
import StreamReassembly
import WireMatching

/// Whether captures show the traffic by which a reported attack has to have come, if it came over the network: then code that none
/// of their flows carries did not, and what a host says of it speaks against the report.
///
/// They do where they reach from a minute before the report to some seconds behind it, and hold traffic of the attacked service to
/// the host itself in that minute, without a gap. A host that names neither time nor addresses of its own, or others than its own,
/// can't be refuted; its word alone stays what it is.
struct CaptureCoverage {
    /// In milliseconds: how long before the report an attack comes, as far as can be expected.
    private static let leadTime: Int64 = 60_000
    /// In milliseconds: how much later than the report captures must reach, since recorders write in steps, and clocks differ.
    private static let lagTime: Int64 = 5_000

    private let samples: [Sample]
    private var first = Int64.max
    private var last = Int64.min
    /// The samples, by index, of whose service traffic was seen, and those of which some of it is missing.
    private var seen: Set<Int> = []
    private var incomplete: Set<Int> = []

    init(_ samples: [Sample]) {
        self.samples = samples
    }

    /// Takes note of a stream of the captures.
    ///
    /// - Parameter admitted: the samples, by index, whose context the stream is of.
    mutating func add(_ stream: CapturedStream, admittedBy admitted: [Int]) {
        first = min(first, stream.firstMilliseconds)
        last = max(last, stream.lastMilliseconds)
        for index in admitted {
            guard let time = samples[index].timeMilliseconds, samples[index].context.transport != nil,
                samples[index].addresses.contains(stream.ends.destination.address),
                stream.firstMilliseconds <= time, stream.lastMilliseconds >= Self.before(time)
            else { continue }
            seen.insert(index)
            if stream.isIncomplete || stream.version != .earlier { incomplete.insert(index) }
        }
    }

    /// Whether that holds for each of these samples.
    func isWhole(for indices: some Collection<Int>) -> Bool {
        !indices.isEmpty
            && indices.allSatisfy { index in
                guard let time = samples[index].timeMilliseconds, seen.contains(index), !incomplete.contains(index) else { return false }
                return first <= Self.before(time) && last >= time.addingReportingOverflow(Self.lagTime).partialValue
            }
    }

    private static func before(_ time: Int64) -> Int64 { time.subtractingReportingOverflow(leadTime).partialValue }
}
