// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// The time by which certificates and tokens are judged, in milliseconds since 1970-01-01T00:00:00Z.
public enum ChannelClock {
    /// The machine's clock.
    public static func system() -> Int64 {
        Date().milliseconds
    }

    /// A time for a person: ISO 8601, in UTC, to the second.
    public static func text(_ milliseconds: Int64) -> String {
        Date(milliseconds: milliseconds).formatted(.iso8601)
    }
}

extension Date {
    /// Rounded down: certificates count whole seconds, and one must not begin after the moment it was issued.
    init(milliseconds: Int64) {
        self.init(timeIntervalSince1970: (Double(milliseconds) / 1000).rounded(.down))
    }

    var milliseconds: Int64 {
        Int64((timeIntervalSince1970 * 1000).rounded(.down))
    }
}
