// SPDX-License-Identifier: Apache-2.0

/// How many connections a center can hold with the files that its process may have open: each takes a descriptor, and a process
/// that has none left can neither accept a connection nor open a file.
public struct ConnectionRoom: Hashable, Sendable {
    /// The places for connections that a center has where the limit allows it.
    public static let defaultPlaces = 16384

    /// Places for connections: at least ``minPlaces``.
    public let places: Int

    /// With fewer, those that show no certificate would keep hosts out.
    static let minPlaces = 8
    /// What stays free for files: an eighth of the limit, within these bounds. The store, captures and the IDS want a few dozens at a
    /// time, and what hosts send never more.
    static let reserve = 12...512

    /// - Parameters:
    ///   - limit: of open files; `nil`: it isn't known.
    ///   - open: how many are open before the first connection.
    /// - Returns: `nil` where the limit leaves room for no more than a handful.
    public init?(limit: Int?, open: Int) {
        guard let limit else {
            places = Self.defaultPlaces
            return
        }
        let reserve = min(max(limit / 8, Self.reserve.lowerBound), Self.reserve.upperBound)
        let room = min(max(limit - open - reserve, 0), Self.defaultPlaces + Self.spare(besides: Self.defaultPlaces))
        // The spare connections are at most a fifth of all: a quarter of the places.
        let places = room - Self.spare(besides: room * 4 / 5)
        guard places >= Self.minPlaces else { return nil }
        self.places = places
    }

    /// The least limit of open files that a center can serve with.
    public static func minLimit(open: Int) -> Int {
        (1...).first { Self(limit: $0, open: open) != nil } ?? .max
    }

    /// Who connects beyond the limit is let in for as long as it takes to close another: so many at a time.
    static func spare(besides places: Int) -> Int { max(2, min(256, places / 4)) }
}
