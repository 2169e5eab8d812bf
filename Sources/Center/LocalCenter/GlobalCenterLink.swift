// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Scheduling
public import SecureChannel
public import Signatures

/// The interface to the global center.
public protocol GlobalCenterLink: Sendable {
    /// Sends a packet. The receipt says that the global center has stored it.
    func forward(_ forward: ForwardedPacket) async throws(EpitopeError) -> Receipt
    /// Sends an update of this site. The receipt says that the global center has stored it.
    func publish(_ update: SignatureUpdate) async throws(EpitopeError) -> Receipt
    /// What was published after a position in the feed, oldest first; waits for something for at most `waitSeconds`, then returns an
    /// empty page. A position that the global center doesn't know is answered with the feed's beginning.
    func updates(after position: FeedPosition, waitSeconds: Int) async throws(EpitopeError) -> FeedPage
}

extension RetryState {
    /// Notes an error of the global center, which may say when it wants to be asked again.
    ///
    /// - Returns: how long to wait before the next attempt.
    @discardableResult
    mutating func failed(by error: any Error) -> Duration {
        failed(atLeast: .seconds((error as? EpitopeError)?.retryAfterSeconds ?? 0))
    }
}

/// The link through the secure channel.
extension CenterClient: GlobalCenterLink {}
/// The link by the identity that is stored, for as long as the center runs.
extension EnrolledClient: GlobalCenterLink {}
