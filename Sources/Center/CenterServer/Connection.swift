// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// The connection that a request came over: what is asked who the peer is.
struct Connection: InitializableFromSource {
    let channel: any Channel
    let logger: Logger

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        logger = source.logger
    }

    /// How long a peer that sends too much may take to read why.
    private static let lastWords = TimeAmount.seconds(5)

    /// Ends a connection whose request isn't worth reading to its end, after time to read the answer.
    func closeSoon() {
        let channel = channel
        channel.eventLoop.scheduleTask(in: Self.lastWords) { channel.close(promise: nil) }
    }
}
