// SPDX-License-Identifier: Apache-2.0

import LocalCenter
import Logging
import SecureChannel
import Synchronization

/// The links to the sites whose updates this one reads: one for each folder of an identity. Who is added or taken away while the center
/// runs is seen at the next look.
final class PeerLinks: PeerSource {
    private struct Link {
        var client: EnrolledClient
        var upkeep: Task<Void, Never>
    }

    private let folders: PeerFolders
    private let directory: String
    private let logger: Logger
    private let links = Mutex<[String: Link]>([:])

    init(_ directory: String, logger: Logger) {
        self.directory = directory
        folders = PeerFolders(directory)
        self.logger = logger
    }

    func current() -> [String: any PeerLink] {
        let names = Set(folders.names)
        return links.withLock { links in
            for (name, link) in links where !names.contains(name) {
                links[name] = nil
                link.upkeep.cancel()
                Task { await link.client.shutdown() }
            }
            for name in names where links[name] == nil {
                let logger = logger
                let client = EnrolledClient(
                    directory: "\(directory)/\(name)",
                    onEvent: { event in
                        switch event {
                        case .refused(let error), .unusable(let error):
                            logger.warning("the link to the peer \(name): \(error)")
                        default: break
                        }
                    })
                links[name] = Link(client: client, upkeep: Task { await client.maintain() })
            }
            return links.mapValues { $0.client }
        }
    }

    /// Ends all links.
    func shutdown() async {
        let ended = links.withLock { links in
            defer { links = [:] }
            return Array(links.values)
        }
        for link in ended {
            link.upkeep.cancel()
            await link.client.shutdown()
        }
    }
}
