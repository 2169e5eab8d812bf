// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// The connection that a request came over, from which the peer's certificate is read.
struct Connection: InitializableFromSource {
    let channel: any Channel
    let logger: Logger

    /// The address that the connection comes from, behind address translation or a proxy theirs; behind a relay that the settings name,
    /// the one that it tells.
    var source: IPAddress?

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        logger = source.logger
        self.source = source.channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }?.unmapped
    }

    /// How long the connection stays open after a refusal, so that the peer can read it.
    private static let refusalReadTime = TimeAmount.seconds(5)

    /// Closes a connection whose request will not be read to its end, after time for the peer to read the response.
    func closeSoon() {
        let channel = channel
        channel.eventLoop.scheduleTask(in: Self.refusalReadTime) { channel.close(promise: nil) }
    }
}
