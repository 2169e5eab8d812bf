// SPDX-License-Identifier: Apache-2.0

import SignatureMaking

/// How much of a cluster some of its packets are, where each reporter counts as one, however many packets it sent: one host's junk
/// doesn't make another's attack a minority.
struct ReporterShares: Hashable, Sendable {
    /// Of those that count by themselves, and of each reporter: the packets that are missed, and all.
    private var missed: [String?: Int]
    private var all: [String?: Int]

    init(of missed: [Sample], among samples: [Sample]) {
        func counts(_ samples: [Sample]) -> [String?: Int] {
            samples.reduce(into: [:]) { $0[$1.reporter, default: 0] += 1 }
        }
        (self.missed, all) = (counts(missed), counts(samples))
    }

    /// Whether they are at most this share.
    func isWithin(_ share: Double) -> Bool {
        var (part, whole) = (0.0, 0.0)
        for (reporter, count) in all {
            let missed = Double(missed[reporter] ?? 0)
            part += reporter == nil ? missed : missed / Double(count)
            whole += reporter == nil ? Double(count) : 1
        }
        return part <= share * whole
    }
}
