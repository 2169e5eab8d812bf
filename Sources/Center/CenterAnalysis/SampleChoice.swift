// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation

/// Which of a cluster's packets its signatures are made of: the newest of each reporter in turn, so that one that sends many doesn't
/// displace the others'.
enum SampleChoice {
    /// - Parameters:
    ///   - packets: the newest first.
    ///   - holder: who a packet's reporter counts as.
    /// - Returns: the oldest first.
    static func choose(
        from packets: [ReportedPacket], limit: Int, by holder: (ReportedPacket) -> String = { $0.reporter }
    ) -> [ReportedPacket] {
        Turns.order(packets, by: holder).prefix(limit).sorted { $0.sequence < $1.sequence }
    }
}
