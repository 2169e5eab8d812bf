// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// That Suricata was seen not to load the rules file. To see that anew takes three reloads, of seconds each with many rules, and the
/// answer is the same until somebody has changed its configuration: so long the file is written, and Suricata left alone.
struct UnreadFile: Sendable {
    var error: EpitopeError
    /// When Suricata had last reloaded its rules then: another time is that of a restart, or of somebody else's reload.
    var reloadTime: String
    var since: ContinuousClock.Instant

    /// After so long it is tried anyway.
    static let patience = Duration.seconds(600)

    /// Whether nothing has changed since.
    func holds(reloadTime: String, now: ContinuousClock.Instant) -> Bool {
        reloadTime == self.reloadTime && now - since < Self.patience
    }
}
