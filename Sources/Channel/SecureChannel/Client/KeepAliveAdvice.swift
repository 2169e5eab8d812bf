// SPDX-License-Identifier: Apache-2.0

/// What a center tells whoever asks for its health: whether to keep the connection open, and when to ask again.
///
/// An open connection saves the next packet a handshake, and costs the center memory. A fleet has more hosts than the center has room
/// for connections: those beyond it connect when they have something to say, and now and then.
public struct KeepAliveAdvice: Hashable, Sendable, Codable {
    /// Whether to keep the connection open. If not, the center closes it.
    public var keepOpen: Bool
    /// When to ask again, in seconds: 1 to 3600.
    public var againSeconds: Int

    public init(keepOpen: Bool, againSeconds: Int) {
        self.keepOpen = keepOpen
        self.againSeconds = againSeconds
    }

    /// Where the center says nothing: it is of an earlier version.
    public static let unknown = KeepAliveAdvice(keepOpen: true, againSeconds: 30)

    /// When to ask again. A connection that is to stay open must be of use within its time
    /// (``CenterTransport/idleTimeout``); hosts that ask now and then spread over half as long again.
    ///
    /// - Parameter spread: of this host, from 0 to 1.
    func delay(spread: Double) -> Duration {
        let seconds = Double(min(max(againSeconds, 1), keepOpen ? Self.maxOpenSeconds : Self.maxSeconds))
        return .seconds(keepOpen ? seconds : seconds * (1 + spread / 2))
    }

    /// Two looks at the clock (``EnrolledClient/maintain(every:)``) before the connection is given up as idle.
    static let maxOpenSeconds = 90
    static let maxSeconds = 3600
}
