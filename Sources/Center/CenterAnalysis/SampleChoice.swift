// SPDX-License-Identifier: Apache-2.0

import CenterStore

/// Which of a cluster's packets its signatures are made of: the newest of each reporter in turn, so that one that sends many doesn't
/// displace the others'.
enum SampleChoice {
    /// - Parameter packets: the newest first.
    /// - Returns: the oldest first.
    static func choose(from packets: [ReportedPacket], limit: Int) -> [ReportedPacket] {
        var turns: [String: Int] = [:]
        let ranked = packets.enumerated().map { place, packet in
            let turn = turns[packet.reporter, default: 0]
            turns[packet.reporter] = turn + 1
            return (turn: turn, place: place, packet: packet)
        }
        return ranked.sorted { ($0.turn, $0.place) < ($1.turn, $1.place) }.prefix(limit).map(\.packet).sorted { $0.sequence < $1.sequence }
    }
}
