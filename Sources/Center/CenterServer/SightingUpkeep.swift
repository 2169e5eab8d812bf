// SPDX-License-Identifier: Apache-2.0

import Logging
import ServiceLifecycle

/// Has the center's service store who was seen: once in a while, and at the end.
struct SightingUpkeep: Service {
    let book: SightingBook
    let service: any CenterRequestHandling
    let logger: Logger

    private static let interval = Duration.seconds(30)

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try await Task.sleep(for: Self.interval)
                await store()
            }
        }
        await store()
    }

    private func store() async {
        let taken = book.take()
        guard !taken.isEmpty else { return }
        do {
            try await service.note(taken)
        } catch {
            // The store's failures are told by those whose packets it does not take.
            book.giveBack(taken)
            logger.debug("Who was seen could not be stored", metadata: ["error": "\(error)"])
        }
    }
}
