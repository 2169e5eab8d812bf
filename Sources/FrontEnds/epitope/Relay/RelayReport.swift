// SPDX-License-Identifier: Apache-2.0

import Logging
import Relay

/// Tells in the log what a relay did: every ten minutes if anything happened, and at its end.
struct RelayReport {
    private static let interval = Duration.seconds(600)

    private let relay: RelayServer
    private let logger: Logger

    init(_ relay: RelayServer, logger: Logger) {
        self.relay = relay
        self.logger = logger
    }

    func run() async {
        var told = RelayCounts()
        while true {
            try? await Task.sleep(for: Self.interval)
            let counts = relay.counts
            if counts != told || Task.isCancelled { logger.info("\(Self.line(counts))") }
            told = counts
            if Task.isCancelled { return }
        }
    }

    /// Such as `12 connections passed on, 3 open, 18324 bytes to centers, 9120 back; turned down: 2 (403); turned away: 0; ended: 1`.
    static func line(_ counts: RelayCounts) -> String {
        let refused = counts.refused.sorted { $0.key < $1.key }.map { "\($0.value) (\($0.key))" }
        return "\(counts.passed) connections passed on, \(counts.open) open, \(counts.bytesUp) bytes to centers, \(counts.bytesDown) back; "
            + "turned down: \(refused.isEmpty ? "0" : refused.joined(separator: ", ")); turned away: \(counts.turnedAway); ended: \(counts.ended)"
    }
}
