// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// What a look at a certificate's dates tells a person.
public enum CertificateOutlook: Hashable, Sendable {
    case inForce
    /// Renewal should have come long before.
    case endsSoon(untilMilliseconds: Int64, nowMilliseconds: Int64)
    case ended(untilMilliseconds: Int64)
    /// By this machine's clock.
    case notYet(beginsMilliseconds: Int64, nowMilliseconds: Int64)

    /// From how long before the end a person is warned: renewal begins 30 days ahead, and has failed for half of them then.
    public static let warningMilliseconds: Int64 = Duration.days(14).inMilliseconds

    public init(beginsMilliseconds: Int64, expiresMilliseconds: Int64, nowMilliseconds: Int64) {
        // Certificates with a shorter time have a shorter warning.
        let warning = min(Self.warningMilliseconds, max(0, expiresMilliseconds - beginsMilliseconds) / 6)
        self =
            if nowMilliseconds < beginsMilliseconds {
                .notYet(beginsMilliseconds: beginsMilliseconds, nowMilliseconds: nowMilliseconds)
            } else if nowMilliseconds > expiresMilliseconds {
                .ended(untilMilliseconds: expiresMilliseconds)
            } else if nowMilliseconds > expiresMilliseconds - warning {
                .endsSoon(untilMilliseconds: expiresMilliseconds, nowMilliseconds: nowMilliseconds)
            } else {
                .inForce
            }
    }

    /// What is wrong, for a person; `nil` when nothing is.
    ///
    /// - Parameter name: whose certificate it is, such as "the certificate for the local center".
    public func warning(of name: String) -> String? {
        switch self {
        case .inForce: nil
        case .endsSoon(let until, let now):
            "\(name) ends in \(Self.days(until - now)), at \(ChannelClock.text(until)), and has not been renewed: the log says why"
        case .ended(let until):
            "\(name) ended at \(ChannelClock.text(until)): it is renewed when the center lets it, else enrol again with a new token"
        case .notYet(let begins, let now):
            "\(name) begins at \(ChannelClock.text(begins)), and this machine's clock shows \(ChannelClock.text(now)): the clock is behind"
        }
    }

    private static func days(_ milliseconds: Int64) -> String {
        let days = milliseconds / Duration.days(1).inMilliseconds
        return days == 1 ? "1 day" : days > 0 ? "\(days) days" : "less than a day"
    }
}

extension StoredIdentity {
    /// A look at the certificate's dates.
    public func outlook(nowMilliseconds: Int64 = ChannelClock.system()) -> CertificateOutlook {
        CertificateOutlook(
            beginsMilliseconds: beginsMilliseconds, expiresMilliseconds: expiresMilliseconds, nowMilliseconds: nowMilliseconds)
    }
}
